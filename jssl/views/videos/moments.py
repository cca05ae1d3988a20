"""A part of a clip and its sound, both of the same time: pure functions of one example, for ``jax.vmap``."""

import jax
from jax import Array

from jssl.views.audio.waves import crop_wave


def random_moment(key: Array, video: Array, audio: Array, length: Array, *, frames: int) -> tuple[Array, Array, Array]:
    """``frames`` frames from a random one on, each start as likely as the others, and what is heard meanwhile.

    Args:
        key: PRNG key.
        video: (T, H, W, C).
        audio: (A,) the sound of the same time: sample a is heard with frame a T / A.
        length: () int32, how many samples are sound.
        frames: at most T.

    Returns:
        (frames, H, W, C), (A * frames // T,), of their dtypes, and () int32, how many of these samples are sound.

    Raises:
        ValueError: if the clip is too short.

    >>> import jax.numpy as jnp
    >>> video, audio, length = random_moment(
    ...     jax.random.key(1), jnp.arange(6).reshape(6, 1, 1, 1), jnp.arange(30), jnp.int32(28), frames=2
    ... )
    >>> video.ravel().tolist(), audio.tolist(), int(length)
    ([1, 2], [5, 6, 7, 8, 9, 10, 11, 12, 13, 14], 10)
    """
    seen, heard = video.shape[0], audio.shape[0]
    if not 1 <= frames <= seen:
        raise ValueError(f"frames={frames} of a clip of {seen}; use 1 to {seen}")
    start = jax.random.randint(key, (), 0, seen - frames + 1)
    # Of long sounds start * heard would not fit into int32.
    first = start * (heard // seen) + start * (heard % seen) // seen
    audio, length = crop_wave(audio, length, first, heard * frames // seen)
    return jax.lax.dynamic_slice_in_dim(video, start, frames), audio, length
