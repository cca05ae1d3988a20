"""Crops, resizing and flips: pure functions of one (H, W, 3) float32 image in [0, 1], made for ``jax.vmap``.

Random operations take ``(key, image, *, ...)``, deterministic ones ``(image, *, ...)``. They follow the tensor version
of torchvision's transforms; pixels stay float32 throughout, so there is no rounding to 8 bits between operations (the
authors' pipelines that work on PIL images round after every one).

A crop with resize is two small matrix products, because batched gathers are slow on TPU.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

_ATTEMPTS = 10


def _kernel(distance: Array, interpolation: str) -> Array:
    x = jnp.abs(distance)
    if interpolation == "bilinear":
        return jnp.maximum(0.0, 1.0 - x)
    if interpolation == "bicubic":  # Keys' cubic with a = -0.5, as PIL and antialiased torchvision
        near = (1.5 * x - 2.5) * x * x + 1.0
        far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
        return jnp.where(x < 1.0, near, jnp.where(x < 2.0, far, 0.0))
    raise ValueError(f"interpolation={interpolation!r}; use 'bilinear' or 'bicubic'")


def _resize_matrix(start: Array, length: Array, size: int, full: int, interpolation: str, inside: bool) -> Array:
    """(size, full) weights that resample ``[start, start + length)`` of an axis of ``full`` pixels to ``size``."""
    step = length / size
    width = jnp.maximum(step, 1.0)  # antialiasing: the kernel grows with the reduction
    center = start + (jnp.arange(size, dtype=jnp.float32) + 0.5) * step
    pixel = jnp.arange(full, dtype=jnp.float32) + 0.5
    weights = _kernel((pixel[None, :] - center[:, None]) / width, interpolation)
    if inside:
        within = (pixel > start) & (pixel < start + length)
        weights = jnp.where(within[None, :], weights, 0.0)
    return weights / jnp.sum(weights, axis=1, keepdims=True)


def resample(image: Array, rows: Array, columns: Array) -> Array:
    # Float32 products everywhere: TPU and TF32 defaults would lose the last bits of 8-bit pixels.
    precision = jax.lax.Precision.HIGHEST
    planes = jnp.moveaxis(image, -1, 0)
    out = jnp.einsum("chw,qw->chq", planes, columns, precision=precision)
    out = jnp.einsum("chq,ph->cpq", out, rows, precision=precision)
    # The triangle kernel is a weighted mean; clipping only removes rounding. The cubic one overshoots.
    return jnp.moveaxis(jnp.clip(out, 0.0, 1.0), 0, -1)


def resize_crop(
    image: Array,
    box: tuple[Array | float, Array | float, Array | float, Array | float],
    *,
    size: int,
    interpolation: str = "bilinear",
    inside: bool = True,
    flip: Array | bool = False,
) -> Array:
    """Resamples a box of the image to ``size`` x ``size`` with antialiasing.

    The result is ``R @ image @ C.T`` per channel, where row i of R holds the normalised kernel
    ``k((j + 1/2 - center_i) / max(step, 1))``.

    Args:
        image: (H, W, 3) float32 in [0, 1].
        box: top, left, height, width in pixels; may be traced and fractional.
        size: static side of the result.
        interpolation: "bilinear" (triangle) or "bicubic" (a = -0.5).
        inside: True reads only pixels in the box (crop, then resize, as torchvision's ``resized_crop``); False also
            reads the neighbours that the kernel reaches (resize, then crop, as PIL's ``resize(box=...)``).
        flip: mirror the result left to right; may be traced. Costs nothing: the column weights are mirrored.

    Returns:
        (size, size, 3) float32 in [0, 1].

    >>> resize_crop(jnp.ones((8, 8, 3)), (0, 0, 4, 8), size=2).shape
    (2, 2, 3)
    """
    height, width, _ = image.shape
    top, left, box_height, box_width = (jnp.asarray(value, jnp.float32) for value in box)
    rows = _resize_matrix(top, box_height, size, height, interpolation, inside)
    columns = _resize_matrix(left, box_width, size, width, interpolation, inside)
    columns = jnp.where(jnp.asarray(flip), columns[::-1], columns)
    return resample(image, rows, columns)


def center_crop(image: Array, *, size: int, fraction: float = 1.0, interpolation: str = "bilinear") -> Array:
    """The central square whose side is ``fraction`` of the shorter side, resized to ``size`` x ``size``.

    With ``fraction=224/256`` and ``size=224`` this is "resize the shorter side to 256, crop the central 224", in one
    step and without rounding the intermediate size.

    Args:
        image: (H, W, 3) float32 in [0, 1].
        size: static side of the result.
        fraction: in (0, 1].
        interpolation: "bilinear" or "bicubic".

    Returns:
        (size, size, 3) float32 in [0, 1].

    >>> center_crop(jnp.ones((8, 6, 3)), size=4).shape
    (4, 4, 3)
    """
    height, width, _ = image.shape
    side = fraction * min(height, width)
    if side == size == height == width:
        return image
    box = ((height - side) / 2, (width - side) / 2, side, side)
    return resize_crop(image, box, size=size, interpolation=interpolation, inside=False)


def random_box(
    key: Array, height: int, width: int, *, scale: tuple[float, float], ratio: tuple[float, float]
) -> tuple[Array, Array, Array, Array]:
    """Draws the box of a random resized crop: whole pixels, top, left, height, width, each a float32 scalar.

    Ten draws of (area fraction uniform in ``scale``, log aspect ratio uniform in ``log(ratio)``); the first that fits
    is placed uniformly, and if none fits the largest central box of an allowed ratio is taken. All ten are drawn at
    once, so the shape is static and the distribution is that of torchvision's ``RandomResizedCrop.get_params``.

    >>> top, left, height, width = random_box(jax.random.key(0), 8, 8, scale=(1.0, 1.0), ratio=(1.0, 1.0))
    >>> float(height), float(width)
    (8.0, 8.0)
    """
    draws = jax.random.uniform(key, (2 * _ATTEMPTS + 2,))
    area = height * width * (scale[0] + draws[:_ATTEMPTS] * (scale[1] - scale[0]))
    log_ratio = np.log(np.asarray(ratio, np.float64))
    aspect = jnp.exp(float(log_ratio[0]) + draws[_ATTEMPTS:-2] * float(log_ratio[1] - log_ratio[0]))
    widths, heights = jnp.round(jnp.sqrt(area * aspect)), jnp.round(jnp.sqrt(area / aspect))
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    # The first that fits, as a sum with a one-hot: no gather.
    first = (fits & (jnp.cumsum(fits.astype(jnp.int32)) == 1)).astype(jnp.float32)

    central = (float(height), float(width))
    if width / height < ratio[0]:
        central = (float(round(width / ratio[0])), float(width))
    elif width / height > ratio[1]:
        central = (float(height), float(round(height * ratio[1])))
    found = jnp.any(fits)
    box_height = jnp.where(found, jnp.sum(first * heights), central[0])
    box_width = jnp.where(found, jnp.sum(first * widths), central[1])
    free_height, free_width = height - box_height, width - box_width
    top = jnp.where(found, jnp.minimum(jnp.floor(draws[-2] * (free_height + 1)), free_height), free_height // 2)
    left = jnp.where(found, jnp.minimum(jnp.floor(draws[-1] * (free_width + 1)), free_width), free_width // 2)
    return top, left, box_height, box_width


def random_resized_crop(
    key: Array,
    image: Array,
    *,
    size: int,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
    interpolation: str = "bilinear",
    flip_prob: float = 0.0,
) -> Array:
    """Crops a random box and resizes it to ``size`` x ``size`` (Szegedy et al. 2015, https://arxiv.org/abs/1409.4842).

    Args:
        key: PRNG key.
        image: (H, W, 3) float32 in [0, 1].
        size: static side of the result.
        scale: range of the box area as a fraction of the image.
        ratio: range of width / height, log-uniform.
        interpolation: "bilinear" or "bicubic", both antialiased.
        flip_prob: probability of also mirroring the crop, which is free here (see ``resize_crop``).

    Returns:
        (size, size, 3) float32 in [0, 1].

    >>> random_resized_crop(jax.random.key(0), jnp.ones((8, 8, 3)), size=4).shape
    (4, 4, 3)
    """
    height, width, _ = image.shape
    box = random_box(key, height, width, scale=scale, ratio=ratio)
    flip = jax.random.bernoulli(jax.random.fold_in(key, 1), flip_prob) if flip_prob else False
    return resize_crop(image, box, size=size, interpolation=interpolation, flip=flip)


def horizontal_flip(key: Array, image: Array, *, prob: float = 0.5) -> Array:
    """Mirrors the image left to right with probability ``prob``.

    >>> horizontal_flip(jax.random.key(0), jnp.arange(6.0).reshape(1, 2, 3), prob=1.0)[0, 0]
    Array([3., 4., 5.], dtype=float32)
    """
    return jnp.where(jax.random.bernoulli(key, prob), image[:, ::-1], image)
