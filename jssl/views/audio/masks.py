"""What is hidden of a spectrogram: bands of frames and of frequencies."""

import jax
import jax.numpy as jnp

from jssl.views.masks.random import mask_from_noise

Array = jax.Array


def time_mask(key: Array, spectrogram: Array, widest: int) -> Array:
    """One band of 0 to ``widest`` frames of a (F, M) spectrogram set to zero, its width and place drawn uniformly.

    Park et al., SpecAugment, arXiv:1904.08779. Zero is the mean of a standardised spectrogram.

    >>> hidden = (time_mask(jax.random.key(0), jnp.ones((8, 2)), 4) == 0).sum(0)
    >>> bool((hidden <= 4).all()), bool(hidden[0] == hidden[1])
    (True, True)
    """
    return jnp.where(_band(key, spectrogram.shape[0], widest)[:, None], 0.0, spectrogram)


def frequency_mask(key: Array, spectrogram: Array, widest: int) -> Array:
    """``time_mask`` of 0 to ``widest`` of the M bands."""
    return jnp.where(_band(key, spectrogram.shape[1], widest)[None], 0.0, spectrogram)


def _band(key: Array, size: int, widest: int) -> Array:
    """(size,) bool."""
    width_key, start_key = jax.random.split(key)
    width = jax.random.randint(width_key, (), 0, min(widest, size) + 1)
    start = jax.random.randint(start_key, (), 0, size - width + 1)
    at = jnp.arange(size)
    return (at >= start) & (at < start + width)


def time_frequency_mask(key: Array, grid: tuple[int, int], keep: tuple[int, int]) -> tuple[Array, ...]:
    """Hides whole rows and columns of a grid of patches, as Audio-MAE's structured masks do (arXiv:2207.06405).

    Args:
      key: PRNG key.
      grid: rows (time) and columns (frequency) of patches.
      keep: how many rows and columns stay; a patch stays where both do.

    Returns:
      What ``random_mask`` returns, with keep[0] * keep[1] patches kept.

    >>> kept, removed, restore, mask = time_frequency_mask(jax.random.key(0), (4, 3), (2, 1))
    >>> kept.shape, mask.reshape(4, 3).sum(0).tolist().count(2.0)
    ((2,), 1)
    """
    row_key, column_key, noise_key = jax.random.split(key, 3)
    rows = jax.random.permutation(row_key, grid[0]) >= keep[0]
    columns = jax.random.permutation(column_key, grid[1]) >= keep[1]
    hidden = (rows[:, None] | columns[None]).reshape(-1)
    # Whatever is hidden ranks behind all that stays.
    noise = jax.random.bits(noise_key, hidden.shape) >> 1
    return mask_from_noise(jnp.where(hidden, noise | jnp.uint32(1 << 31), noise), keep[0] * keep[1])
