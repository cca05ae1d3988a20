"""Which frames of a clip are seen, and the same view of each: pure functions of one (T, H, W, C) clip, for ``jax.vmap``."""

from collections.abc import Callable

import jax
from jax import Array


def random_frames(key: Array, video: Array, *, frames: int, stride: int = 1) -> Array:
    """``frames`` frames, every ``stride``-th from a random one on, each start as likely as the others.

    Args:
        key: PRNG key.
        video: (T, H, W, C), or anything else with frames along its first axis.
        frames: how many are taken.
        stride: from one to the next; 1 takes neighbours.

    Returns:
        (frames, H, W, C), of the dtype of the clip.

    Raises:
        ValueError: if the clip is too short.

    >>> random_frames(jax.random.key(0), jax.numpy.arange(9), frames=3, stride=4)
    Array([0, 4, 8], dtype=int32)
    """
    start = jax.random.randint(key, (), 0, _room(video, frames, stride) + 1)
    return _taken(video, start, frames, stride)


def central_frames(video: Array, *, frames: int, stride: int = 1) -> Array:
    """``frames`` frames, every ``stride``-th, from the middle of a clip; see ``random_frames``.

    >>> central_frames(jax.numpy.arange(9), frames=3, stride=2)
    Array([2, 4, 6], dtype=int32)
    """
    return _taken(video, _room(video, frames, stride) // 2, frames, stride)


def over_frames(view: Callable, key: Array | None, video: Array, size: Array | None = None) -> Array:
    """A view of a picture, of every frame alike: one crop, one flip and one change of colours for the whole clip.

    Args:
        view: ``(key, image, size) -> (S, S, C)``: an ``Augmentation`` or an ``EvalView``, or one of their ``pixels``.
        key: PRNG key that all frames share.
        video: (T, H, W, C) uint8 or float in [0, 1].
        size: (2,) height and width that the frames had before they were brought to (H, W), may be traced; None for frames as
            they were taken.

    Returns:
        (T, S, S, C) float32.

    >>> from jssl.views import eval_view
    >>> over_frames(eval_view(4), None, jax.numpy.ones((2, 8, 8, 3))).shape
    (2, 4, 4, 3)
    """
    return jax.vmap(lambda image: view(key, image, size))(video)


def _room(video: Array, frames: int, stride: int) -> int:
    """By how many frames a clip is longer than what is taken of it."""
    if min(frames, stride) < 1:
        raise ValueError(f"frames={frames}, stride={stride}; use at least 1")
    room = video.shape[0] - (1 + (frames - 1) * stride)
    if room < 0:
        raise ValueError(f"a clip of {video.shape[0]} frames is too short for {frames} at a stride of {stride}")
    return room


def _taken(video: Array, start: Array | int, frames: int, stride: int) -> Array:
    return jax.lax.dynamic_slice_in_dim(video, start, 1 + (frames - 1) * stride)[::stride]
