"""Rotation by quarter turns: which of four is it? The network must know which way up things are."""

import jax
import jax.numpy as jnp
from jax import Array

from jssl.views.images import _checks


def rotate_90(image: Array, quarter_turns: Array | int) -> Array:
    """Turns a square image counter-clockwise by quarter turns, which may be traced.

    Pixels are moved, never resampled, so nothing but the content tells one turn from another. A transposition and two
    flips, each selected or not, make all four: no gather, no branch.

    Args:
        image: (S, S, C) of any dtype.
        quarter_turns: whole number, taken modulo 4; an integer scalar.

    Returns:
        (S, S, C) in the dtype of the image.

    Raises:
        ValueError: if the image is not square; its shape would give the answer away.

    >>> rotate_90(jnp.arange(4).reshape(2, 2, 1), 1)[..., 0].tolist()
    [[1, 3], [0, 2]]
    """
    height, width, _ = _checks.picture(image)
    if height != width:
        raise ValueError(f"rotation needs a square image, got {height} x {width}; crop it first")
    turns = jnp.asarray(quarter_turns) % 4
    image = jnp.where(turns % 2 == 1, jnp.swapaxes(image, 0, 1), image)
    image = jnp.where((turns == 1) | (turns == 2), image[::-1], image)
    return jnp.where(turns >= 2, image[:, ::-1], image)


def rotation(key: Array, image: Array) -> tuple[Array, Array]:
    """A random rotation of a square image and the number of quarter turns to be recognised.

    Args:
        key: PRNG key.
        image: (S, S, C) of any dtype.

    Returns:
        (S, S, C) rotated image in the dtype of the image, and its label, int32 in 0..3, all equally likely.

    Raises:
        ValueError: if the image is not square.

    Reference: RotNet, Gidaris et al. 2018, https://arxiv.org/abs/1803.07728. The authors feed all four rotations of
    every image in one batch; one random rotation has the same expected loss.

    >>> turned, label = rotation(jax.random.key(0), jnp.ones((4, 4, 3)))
    >>> turned.shape, label.dtype.name
    ((4, 4, 3), 'int32')
    """
    label = jax.random.randint(key, (), 0, 4)
    return rotate_90(image, label), label
