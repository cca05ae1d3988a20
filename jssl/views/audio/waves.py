"""Waves: (T,) float32 in [-1, 1] with their true length, () int32, and zeros behind it."""

import jax
import jax.numpy as jnp

Array = jax.Array


def to_wave(audio: Array) -> Array:
    """(T,) int16, or float, to float32 in [-1, 1].

    >>> to_wave(jnp.array([-32768, 16384], jnp.int16)).tolist()
    [-1.0, 0.5]
    """
    if jnp.issubdtype(audio.dtype, jnp.integer):
        return audio.astype(jnp.float32) / float(2 ** (8 * audio.dtype.itemsize - 1))
    return audio.astype(jnp.float32)


def is_sound(size: int, length: Array) -> Array:
    """(size,) bool: the samples before the true length.

    >>> is_sound(3, jnp.int32(2)).tolist()
    [True, True, False]
    """
    return jnp.arange(size) < length


def crop_wave(wave: Array, length: Array, start: Array, size: int) -> tuple[Array, Array]:
    """``size`` samples from ``start`` on, and how many of them are sound; zeros behind the wave's end.

    Args:
      wave: (T,).
      length: () int32.
      start: () int32, in [0, T].
      size: static.

    >>> wave, length = crop_wave(jnp.array([1.0, 2.0, 3.0, 0.0]), jnp.int32(3), jnp.int32(1), 5)
    >>> wave.tolist(), int(length)
    ([2.0, 3.0, 0.0, 0.0, 0.0], 2)
    """
    padded = jnp.pad(wave, (0, size))
    return jax.lax.dynamic_slice_in_dim(padded, start, size), jnp.clip(length - start, 0, size)


def random_start(key: Array, length: Array, size: int) -> Array:
    """() int32: where a crop of ``size`` samples starts; all places that lose no sound to padding are equally likely.

    >>> int(random_start(jax.random.key(0), jnp.int32(5), 8))
    0
    """
    return jax.random.randint(key, (), 0, jnp.maximum(length - size, 0) + 1)


def change_speed(wave: Array, length: Array, factor: Array) -> tuple[Array, Array]:
    """The wave played ``factor`` times as fast, pitch and all; what does not fit in T samples is cut off.

    Samples are interpolated linearly, without a filter: for factors near one, as 0.9 to 1.1 (Ko et al., Audio
    Augmentation for Speech Recognition, 2015).

    Args:
      wave: (T,).
      length: () int32.
      factor: () float.

    Returns:
      (T,) and its true length.

    >>> wave, length = change_speed(jnp.array([0.0, 1.0, 2.0, 3.0]), jnp.int32(4), jnp.float32(2.0))
    >>> wave.tolist(), int(length)
    ([0.0, 2.0, 0.0, 0.0], 2)
    """
    size = wave.shape[0]
    at = jnp.arange(size).astype(jnp.float32) * factor
    left = jnp.minimum(jnp.floor(at).astype(jnp.int32), size - 1)
    right = jnp.minimum(left + 1, jnp.maximum(length - 1, 0))
    share = at - left.astype(jnp.float32)
    moved = jnp.take(wave, left) * (1 - share) + jnp.take(wave, right) * share
    new = jnp.floor((length - 1).astype(jnp.float32) / factor).astype(jnp.int32) + 1
    new = jnp.where(length > 0, jnp.minimum(new, size), 0)
    return jnp.where(is_sound(size, new), moved, 0.0), new


def change_gain(wave: Array, decibels: Array) -> Array:
    """The wave ``decibels`` louder, clipped to [-1, 1].

    >>> change_gain(jnp.array([0.05, 0.5]), jnp.float32(20.0)).tolist()
    [0.5, 1.0]
    """
    return jnp.clip(wave * 10 ** (decibels / 20), -1.0, 1.0)


def add_noise(key: Array, wave: Array, length: Array, snr: Array) -> Array:
    """White noise over the true length, ``snr`` decibels below the power of the sound.

    >>> float(add_noise(jax.random.key(0), jnp.ones(4), jnp.int32(2), jnp.float32(10.0))[3])
    1.0
    """
    here = is_sound(wave.shape[0], length)
    power = jnp.sum(jnp.where(here, jnp.square(wave), 0.0)) / jnp.maximum(length, 1).astype(jnp.float32)
    noise = jnp.sqrt(power * 10 ** (-snr / 10)) * jax.random.normal(key, wave.shape)
    return jnp.where(here, wave + noise, wave)


def standardize_wave(wave: Array, length: Array, *, variance: bool = True, epsilon: float = 1e-7) -> Array:
    """Zero mean and, with ``variance``, unit variance over the true length; zeros behind it.

    wav2vec 2.0 reads waves so. The epsilon, added to the variance, keeps silence silent.

    >>> standardize_wave(jnp.array([1.0, 3.0, 9.0]), jnp.int32(2)).round(3).tolist()
    [-1.0, 1.0, 0.0]
    """
    here = is_sound(wave.shape[0], length)
    count = jnp.maximum(length, 1).astype(jnp.float32)
    wave = jnp.where(here, wave - jnp.sum(jnp.where(here, wave, 0.0)) / count, 0.0)
    return wave * jax.lax.rsqrt(jnp.sum(jnp.square(wave)) / count + epsilon) if variance else wave
