"""Corruptions that a denoising autoencoder undoes (Vincent et al. 2008 and 2010).

Each takes ``(key, image)`` and returns the corrupted image and a mask of what was corrupted, so that a loss can count
these pixels more, or alone.
"""

import jax
import jax.numpy as jnp
from jax import Array

from jssl.views.images import _checks, photometric
from jssl.views.masks.random import random_mask


def mask_patches(key: Array, image: Array, *, patch: int, ratio: float) -> tuple[Array, Array]:
    """Sets a random part of the patches to zero.

    Args:
        key: PRNG key.
        image: (H, W, C) uint8 or float in [0, 1].
        patch: side of the patches, which must divide H and W; 1 is the pixelwise masking noise of the paper.
        ratio: part that is removed; of N patches ``int(N (1 - ratio))`` stay, at least one.

    Returns:
        (H, W, C) float32 and the mask (H, W) float32, 1 where removed.

    Raises:
        ValueError: if the patches do not fit, or none would stay.

    Reference: Vincent et al., "Extracting and Composing Robust Features with Denoising Autoencoders", 2008.

    >>> corrupted, mask = mask_patches(jax.random.key(0), jnp.ones((4, 4, 3)), patch=2, ratio=0.5)
    >>> float(corrupted.sum()), float(mask.sum())
    (24.0, 8.0)
    """
    height, width, _ = _checks.picture(image)
    if patch < 1 or height % patch or width % patch:
        raise ValueError(f"a {height} x {width} image cannot be cut into patches of {patch}")
    rows, columns = height // patch, width // patch
    *_, mask = random_mask(key, rows * columns, int(rows * columns * (1 - ratio)))
    mask = mask.reshape(rows, columns).repeat(patch, axis=0).repeat(patch, axis=1)
    return jnp.where(mask[..., None] > 0, 0.0, photometric.to_float(image)), mask


def salt_and_pepper(key: Array, image: Array, *, ratio: float) -> tuple[Array, Array]:
    """Turns random pixels white or black, with equal chance.

    Args:
        key: PRNG key.
        image: (H, W, C) uint8 or float in [0, 1].
        ratio: probability that a pixel is replaced, in all its channels.

    Returns:
        (H, W, C) float32 and the mask (H, W) float32, 1 where replaced.

    Reference: Vincent et al., "Stacked Denoising Autoencoders", 2010, for grey images.

    >>> corrupted, mask = salt_and_pepper(jax.random.key(0), jnp.full((8, 8, 3), 0.5), ratio=1.0)
    >>> sorted(set(corrupted.ravel().tolist())), float(mask.mean())
    ([0.0, 1.0], 1.0)
    """
    _checks.picture(image)
    draw = jax.random.uniform(key, image.shape[:2])
    replaced, white = draw < ratio, draw < ratio / 2
    corrupted = jnp.where(replaced[..., None], white[..., None].astype(jnp.float32), photometric.to_float(image))
    return corrupted, replaced.astype(jnp.float32)


def gaussian_noise(key: Array, image: Array, *, sigma: float) -> tuple[Array, Array]:
    """Adds independent Gaussian noise to every value, without clipping it.

    Args:
        key: PRNG key.
        image: (H, W, C) uint8 or float in [0, 1].
        sigma: standard deviation.

    Returns:
        (H, W, C) float32 and the mask (H, W), all ones.

    Reference: Vincent et al., "Stacked Denoising Autoencoders", 2010.

    >>> corrupted, mask = gaussian_noise(jax.random.key(0), jnp.zeros((8, 8, 3)), sigma=0.1)
    >>> corrupted.shape, mask.shape
    ((8, 8, 3), (8, 8))
    """
    _checks.picture(image)
    noise = jax.random.normal(key, image.shape)
    return photometric.to_float(image) + sigma * noise, jnp.ones(image.shape[:2], jnp.float32)
