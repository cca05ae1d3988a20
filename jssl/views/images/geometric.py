"""Crops, resizing and flips: pure functions of one (H, W, C) float32 image in [0, 1], made for ``jax.vmap``.

Random operations take ``(key, image, *, ...)``, deterministic ones ``(image, *, ...)``. They follow the tensor version
of torchvision's transforms; pixels stay float32 throughout, so there is no rounding to 8 bits between operations (the
authors' pipelines that work on PIL images round after every one).

A crop with resize is two small matrix products, because batched gathers are slow on TPU.

Pictures of any size share one shape by being squashed to a canvas (H, W); ``true_size`` is the height and width that
a picture had before. With it a crop is drawn in the pixels of the original and read from where these lie on the canvas,
so areas, aspects and circles are those of the original.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jssl.views.images import _checks

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
        # What counts of a pixel is its part within the box: all or nothing for boxes of whole pixels, and something
        # for any box, however small.
        part = jnp.minimum(pixel + 0.5, start + length) - jnp.maximum(pixel - 0.5, start)
        weights = weights * jnp.clip(part, 0.0, 1.0)[None, :]
    return weights / jnp.sum(weights, axis=1, keepdims=True)


def resample(image: Array, rows: Array, columns: Array) -> Array:
    """``rows @ image @ columns.T`` per channel, clipped to [0, 1]: (P, H), (H, W, C) and (Q, W) give (P, Q, C)."""
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
        image: (H, W, C) float32 in [0, 1].
        box: top, left, height, width in pixels; may be traced and fractional.
        size: static side of the result.
        interpolation: "bilinear" (triangle) or "bicubic" (a = -0.5).
        inside: True reads only pixels in the box (crop, then resize, as torchvision's ``resized_crop``), and of those
            on its edge their part in it; False also reads the neighbours that the kernel reaches (resize, then crop, as
            PIL's ``resize(box=...)``).
        flip: mirror the result left to right; may be traced. Costs nothing: the column weights are mirrored.

    Returns:
        (size, size, C) float32 in [0, 1].

    Raises:
        ValueError: if the image is not one picture with its channels last, or the interpolation is unknown.

    >>> resize_crop(jnp.ones((8, 8, 3)), (0, 0, 4, 8), size=2).shape
    (2, 2, 3)
    """
    height, width, _ = _checks.picture(image)
    _checks.unit_range(image)
    top, left, box_height, box_width = (jnp.asarray(value, jnp.float32) for value in box)
    rows = _resize_matrix(top, box_height, size, height, interpolation, inside)
    columns = _resize_matrix(left, box_width, size, width, interpolation, inside)
    columns = jnp.where(jnp.asarray(flip), columns[::-1], columns)
    return resample(image, rows, columns)


def _sides(image: Array, true_size: Array | None) -> tuple[int | Array, int | Array]:
    """Height and width that a picture has, or had before it was brought to a canvas."""
    if true_size is None:
        return image.shape[0], image.shape[1]
    if jnp.shape(true_size) != (2,):
        raise ValueError(
            f"true size has shape {jnp.shape(true_size)}; pass the (height, width) of one picture, shape (2,)"
        )
    sides = jnp.asarray(true_size, jnp.float32)
    return sides[0], sides[1]


def _on_canvas(box: tuple, image: Array, height: int | Array, width: int | Array) -> tuple:
    """Where a box in pixels of a ``height`` x ``width`` picture lies on the canvas; the same place if they are equal."""
    down, right = image.shape[0] / height, image.shape[1] / width
    return box[0] * down, box[1] * right, box[2] * down, box[3] * right


def center_crop(
    image: Array, *, size: int, fraction: float = 1.0, interpolation: str = "bilinear", true_size: Array | None = None
) -> Array:
    """The central square whose side is ``fraction`` of the shorter side, resized to ``size`` x ``size``.

    With ``fraction=224/256`` and ``size=224`` this is "resize the shorter side to 256, crop the central 224", in one
    step and without rounding the intermediate size.

    Args:
        image: (H, W, C) float32 in [0, 1].
        size: static side of the result.
        fraction: in (0, 1].
        interpolation: "bilinear" or "bicubic".
        true_size: (2,) height and width before the picture was brought to (H, W), may be traced: the square is one of
            the original, so the aspect is restored. None for a picture as it was taken.

    Returns:
        (size, size, C) float32 in [0, 1].

    Raises:
        ValueError: if the image is not one picture with its channels last, or ``true_size`` is not of shape (2,).

    >>> center_crop(jnp.ones((8, 6, 3)), size=4).shape
    (4, 4, 3)
    """
    _checks.picture(image)
    if true_size is None and fraction == 1.0 and image.shape[:2] == (size, size):
        return image
    height, width = _sides(image, true_size)
    side = fraction * jnp.minimum(height, width)
    box = _on_canvas(((height - side) / 2, (width - side) / 2, side, side), image, height, width)
    return resize_crop(image, box, size=size, interpolation=interpolation, inside=False)


def random_box(
    key: Array, height: int | Array, width: int | Array, *, scale: tuple[float, float], ratio: tuple[float, float]
) -> tuple[Array, Array, Array, Array]:
    """Draws the box of a random resized crop: whole pixels, top, left, height, width, each a float32 scalar.

    Ten draws of (area fraction uniform in ``scale``, log aspect ratio uniform in ``log(ratio)``); the first that fits
    is placed uniformly, and if none fits the largest central box of an allowed ratio is taken. All ten are drawn at
    once, so the shape is static and the distribution is that of torchvision's ``RandomResizedCrop.get_params`` (but for
    a box that would have no pixel along a side: it has one here).

    Args:
        key: PRNG key.
        height: of the picture in pixels; may be traced, as may ``width``.
        width: of the picture.
        scale: range of the area as a fraction of the picture.
        ratio: range of width / height.

    >>> top, left, height, width = random_box(jax.random.key(0), 8, 8, scale=(1.0, 1.0), ratio=(1.0, 1.0))
    >>> float(height), float(width)
    (8.0, 8.0)
    """
    height, width = jnp.asarray(height, jnp.float32), jnp.asarray(width, jnp.float32)
    draws = jax.random.uniform(key, (2 * _ATTEMPTS + 2,))
    area = height * width * (scale[0] + draws[:_ATTEMPTS] * (scale[1] - scale[0]))
    log_ratio = np.log(np.asarray(ratio, np.float64))
    aspect = jnp.exp(float(log_ratio[0]) + draws[_ATTEMPTS:-2] * float(log_ratio[1] - log_ratio[0]))
    widths, heights = jnp.round(jnp.sqrt(area * aspect)), jnp.round(jnp.sqrt(area / aspect))
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    # The first that fits, as a sum with a one-hot: no gather.
    first = (fits & (jnp.cumsum(fits.astype(jnp.int32)) == 1)).astype(jnp.float32)

    # A picture narrower than any ratio keeps its width, one wider its height.
    central_height = jnp.where(width / height < ratio[0], jnp.maximum(jnp.round(width / ratio[0]), 1.0), height)
    central_width = jnp.where(width / height > ratio[1], jnp.maximum(jnp.round(height * ratio[1]), 1.0), width)
    found = jnp.any(fits)
    box_height = jnp.where(found, jnp.sum(first * heights), central_height)
    box_width = jnp.where(found, jnp.sum(first * widths), central_width)
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
    true_size: Array | None = None,
) -> Array:
    """Crops a random box and resizes it to ``size`` x ``size`` (Szegedy et al. 2015, https://arxiv.org/abs/1409.4842).

    Args:
        key: PRNG key.
        image: (H, W, C) float32 in [0, 1].
        size: static side of the result.
        scale: range of the box area as a fraction of the image.
        ratio: range of width / height, log-uniform.
        interpolation: "bilinear" or "bicubic", both antialiased.
        flip_prob: probability of also mirroring the crop, which is free here (see ``resize_crop``).
        true_size: (2,) height and width before the picture was brought to (H, W), may be traced: the box is drawn in
            these pixels, whole ones, and read from the canvas. None for a picture as it was taken.

    Returns:
        (size, size, C) float32 in [0, 1].

    Raises:
        ValueError: if the image is not one picture with its channels last, or ``true_size`` is not of shape (2,).

    >>> random_resized_crop(jax.random.key(0), jnp.ones((8, 8, 3)), size=4).shape
    (4, 4, 3)
    """
    _checks.picture(image)
    height, width = _sides(image, true_size)
    box = _on_canvas(random_box(key, height, width, scale=scale, ratio=ratio), image, height, width)
    flip = jax.random.bernoulli(jax.random.fold_in(key, 1), flip_prob) if flip_prob else False
    return resize_crop(image, box, size=size, interpolation=interpolation, flip=flip)


def horizontal_flip(key: Array, image: Array, *, prob: float = 0.5) -> Array:
    """Mirrors the image left to right with probability ``prob``.

    >>> horizontal_flip(jax.random.key(0), jnp.arange(6.0).reshape(1, 2, 3), prob=1.0)[0, 0]
    Array([3., 4., 5.], dtype=float32)
    """
    _checks.picture(image)
    return jnp.where(jax.random.bernoulli(key, prob), image[:, ::-1], image)
