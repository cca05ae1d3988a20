"""Colour, blur and scale of pixels: pure functions of one (H, W, C) float32 image in [0, 1], made for ``jax.vmap``.

Jitter and grey need colours, C = 3; the rest takes any number of channels.

Random operations take ``(key, image, *, ...)``, deterministic ones ``(image, *, ...)``. They follow the tensor version
of torchvision's transforms; pixels stay float32 throughout, so there is no rounding to 8 bits between operations (the
authors' pipelines that work on PIL images round after every one).

Two choices make them fast under ``vmap``. Colour operations work on three separate planes, because a last axis of
length 3 wastes vector lanes. A blur is two small matrix products, because depthwise convolutions are slow on TPU.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jssl.views.images import _checks
from jssl.views.images.geometric import resample

# Weights of ITU-R 601 as torchvision's tensor code rounds them.
_LUMA = (0.2989, 0.587, 0.114)
_ORDERS = np.array(list(itertools.permutations(range(3))), np.int32)


def to_float(image: Array) -> Array:
    """Turns uint8 pixels into float32 in [0, 1]; float images only change dtype.

    Raises:
        ValueError: if the image is no array, is of another dtype, or has values that are plainly not in [0, 1].

    >>> to_float(jnp.array([0, 255], jnp.uint8))
    Array([0., 1.], dtype=float32)
    """
    _checks.array(image)
    if image.dtype == jnp.uint8:
        return image.astype(jnp.float32) / 255.0
    if not jnp.issubdtype(image.dtype, jnp.floating):
        raise ValueError(f"image has dtype {image.dtype}; pass uint8 in [0, 255] or a float in [0, 1]")
    _checks.unit_range(image)
    return image.astype(jnp.float32)


def normalize(image: Array, *, mean: tuple[float, ...], std: tuple[float, ...]) -> Array:
    """Standardises each channel: ``(image - mean) / std``.

    Args:
        image: (..., C) float32.
        mean: C channel means.
        std: C channel standard deviations.

    Returns:
        The same shape, float32.

    Raises:
        ValueError: unless there is one mean and one deviation for each channel.

    >>> normalize(jnp.full((1, 1, 3), 0.75), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    Array([[[1., 1., 1.]]], dtype=float32)
    """
    if not len(mean) == len(std) == image.shape[-1]:
        raise ValueError(
            f"mean has {len(mean)} values and std {len(std)} for an image with {image.shape[-1]} channels "
            f"(shape {image.shape}); give one of each per channel"
        )
    shape = (1,) * (image.ndim - 1) + (len(mean),)
    scale = 1.0 / np.asarray(std, np.float32).reshape(shape)
    return (image - np.asarray(mean, np.float32).reshape(shape)) * scale


def _planes(image: Array) -> tuple[Array, Array, Array]:
    return image[..., 0], image[..., 1], image[..., 2]


def _luma(planes) -> Array:
    red, green, blue = planes
    return _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue


def _shift_hue(planes, shift: Array):
    """RGB -> HSV -> RGB with the hue moved by ``shift`` turns.

    Value (the maximum) and chroma (maximum - minimum) stay, so going back needs only
    ``c = maximum - chroma * clip(min(k, 4 - k), 0, 1)`` with ``k = (n + 6 hue) mod 6``, n = 5, 3, 1 for R, G, B.
    """
    red, green, blue = planes
    high = jnp.maximum(jnp.maximum(red, green), blue)
    chroma = high - jnp.minimum(jnp.minimum(red, green), blue)
    inverse = 1.0 / jnp.where(chroma == 0.0, 1.0, chroma)
    sextant = jnp.where(
        high == red,
        (green - blue) * inverse,
        jnp.where(high == green, 2.0 + (blue - red) * inverse, 4.0 + (red - green) * inverse),
    )
    sextant = sextant + 6.0 * shift
    sextant = sextant - 6.0 * jnp.floor(sextant / 6.0)

    def channel(n: float) -> Array:
        k = n + sextant
        k = jnp.where(k >= 6.0, k - 6.0, k)
        return high - chroma * jnp.clip(jnp.minimum(k, 4.0 - k), 0.0, 1.0)

    return channel(5.0), channel(3.0), channel(1.0)


def _blend(planes, which: Array, factor: Array):
    """``clip(factor * x + (1 - factor) * other)``: other is 0 (brightness), the mean grey (contrast) or the grey."""
    grey = _luma(planes)
    other = jnp.where(which == 1, jnp.mean(grey), jnp.where(which == 2, grey, 0.0))
    other = (1.0 - factor) * other
    return tuple(jnp.clip(factor * plane + other, 0.0, 1.0) for plane in planes)


def color_jitter(
    key: Array, image: Array, *, brightness: float, contrast: float, saturation: float, hue: float, prob: float = 1.0
) -> Array:
    """Changes brightness, contrast, saturation and hue by random amounts, in random order, with probability ``prob``.

    Factors are uniform in ``[max(0, 1 - s), 1 + s]`` and the hue moves by a uniform part of a turn in ``[-hue, hue]``;
    pixels are clamped to [0, 1] after every operation, as in torchvision's ``ColorJitter``. Contrast blends with the
    mean grey level of the whole image, saturation with the grey level of the pixel.

    All 24 orders are equally likely. The first three operations have one form, ``clip(f x + (1 - f) m)``, and become
    the identity at f = 1, so three gated ones before the hue shift and three after it give every order with one hue
    shift and no branch. SimCLR's TensorFlow code differs: contrast blends with the mean of each channel, and in its
    first version brightness is added, not multiplied.

    Args:
        key: PRNG key.
        image: (H, W, 3) float32 in [0, 1].
        brightness: strength s >= 0.
        contrast: strength s >= 0.
        saturation: strength s >= 0.
        hue: in [0, 0.5].
        prob: probability of changing anything.

    Returns:
        (H, W, 3) float32 in [0, 1].

    Raises:
        ValueError: if the image is not one of three channels, or ``hue`` is outside [0, 0.5].

    >>> black = jnp.zeros((1, 2, 3))
    >>> color_jitter(jax.random.key(0), black, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1).sum()
    Array(0., dtype=float32)
    """
    _checks.picture(image)
    _checks.colors(image, "color_jitter")
    _checks.unit_range(image)
    if not 0.0 <= hue <= 0.5:
        raise ValueError(f"hue={hue} is outside [0, 0.5]; it is a part of a whole turn")
    draws = jax.random.uniform(key, (7,))
    strength = np.array([brightness, contrast, saturation], np.float32)
    low = np.maximum(0.0, 1.0 - strength).astype(np.float32)
    factors = low + draws[:3] * (1.0 + strength - low)
    # One of 6 orders of the three blends, and one of 4 places of the hue shift among them.
    order = jnp.asarray(_ORDERS)[jnp.floor(draws[3] * 6).astype(jnp.int32)]
    place = jnp.floor(draws[4] * 4).astype(jnp.int32)
    ordered = factors[order]

    planes = _planes(image)
    if hue:
        for slot in range(3):
            planes = _blend(planes, order[slot], jnp.where(slot < place, ordered[slot], 1.0))
        planes = _shift_hue(planes, (2.0 * draws[5] - 1.0) * hue)
        for slot in range(3):
            planes = _blend(planes, order[slot], jnp.where(slot >= place, ordered[slot], 1.0))
    else:
        for slot in range(3):
            planes = _blend(planes, order[slot], ordered[slot])
    applied = draws[6] < prob
    return jnp.stack([jnp.where(applied, new, old) for new, old in zip(planes, _planes(image))], axis=-1)


def grayscale(key: Array, image: Array, *, prob: float = 0.2) -> Array:
    """Replaces the three channels by ``0.2989 R + 0.587 G + 0.114 B`` with probability ``prob``.

    >>> grayscale(jax.random.key(0), jnp.array([[[1.0, 0.0, 0.0]]]), prob=1.0)
    Array([[[0.2989, 0.2989, 0.2989]]], dtype=float32)
    """
    _checks.picture(image)
    _checks.colors(image, "grayscale")
    planes = _planes(image)
    grey, applied = _luma(planes), jax.random.bernoulli(key, prob)
    return jnp.stack([jnp.where(applied, grey, plane) for plane in planes], axis=-1)


def solarize(key: Array, image: Array, *, threshold: float = 0.5, prob: float = 0.2) -> Array:
    """Inverts pixels at or above ``threshold`` (``x -> 1 - x``) with probability ``prob``.

    >>> solarize(jax.random.key(0), jnp.array([[[0.25, 0.5, 1.0]]]), prob=1.0)
    Array([[[0.25, 0.5 , 0.  ]]], dtype=float32)
    """
    _checks.picture(image)
    _checks.unit_range(image)
    applied = jax.random.bernoulli(key, prob)
    return jnp.where(applied & (image >= threshold), 1.0 - image, image)


def _blur_matrix(sigma: Array, radius: int, size: int) -> Array:
    """(size, size) Gaussian weights with reflection at both ends (the border pixel is not repeated)."""
    i = jnp.arange(size)[:, None]
    j = jnp.arange(size)[None, :]

    def tap(offset: Array) -> Array:
        value = jnp.exp(-0.5 * (offset.astype(jnp.float32) / sigma) ** 2)
        return jnp.where(jnp.abs(offset) <= radius, value, 0.0)

    # Pixel j is also seen at -j and at 2 (size - 1) - j.
    weights = tap(i - j) + jnp.where(j > 0, tap(i + j), 0.0) + jnp.where(j < size - 1, tap(2 * (size - 1) - j - i), 0.0)
    return weights / jnp.sum(weights, axis=1, keepdims=True)


def gaussian_blur(
    key: Array, image: Array, *, kernel_size: int, sigma: tuple[float, float] = (0.1, 2.0), prob: float = 0.5
) -> Array:
    """Blurs with a Gaussian of random width with probability ``prob``.

    The kernel has ``kernel_size`` taps (odd) and the border is reflected, as in torchvision's ``GaussianBlur``; SimCLR
    pads with zeros and takes a kernel of a tenth of the image, DINO and MoCo v2 use PIL's approximation by box filters.

    Args:
        key: PRNG key.
        image: (H, W, C) float32 in [0, 1].
        kernel_size: odd, with ``kernel_size // 2`` smaller than the image.
        sigma: range of the standard deviation in pixels, uniform.
        prob: probability of blurring.

    Returns:
        (H, W, C) float32 in [0, 1].

    Raises:
        ValueError: if the image is not one picture with its channels last, or the kernel is even or too large.

    >>> gaussian_blur(jax.random.key(0), jnp.ones((8, 8, 3)), kernel_size=3).shape
    (8, 8, 3)
    """
    height, width, _ = _checks.picture(image)
    radius = kernel_size // 2
    if kernel_size % 2 == 0 or radius >= min(height, width):
        raise ValueError(
            f"kernel_size={kernel_size} for a {height} x {width} image; use an odd one below twice its side"
        )
    draws = jax.random.uniform(key, (2,))
    width_drawn = sigma[0] + draws[0] * (sigma[1] - sigma[0])
    rows, columns = _blur_matrix(width_drawn, radius, height), _blur_matrix(width_drawn, radius, width)
    # Blurring with the identity leaves the pixels as they are, so choosing is done on the small matrices.
    applied = draws[1] < prob
    rows = jnp.where(applied, rows, jnp.eye(height, dtype=jnp.float32))
    columns = jnp.where(applied, columns, jnp.eye(width, dtype=jnp.float32))
    return resample(image, rows, columns)
