"""What every operation on a picture refuses, in one line."""

import jax
import numpy as np
from jax import Array


def array(image: object) -> None:
    """Refuses a list, a PIL image, or whatever else is no array.

    Raises:
        ValueError: if it has no shape and dtype.
    """
    if not (hasattr(image, "ndim") and hasattr(image, "dtype")):
        raise ValueError(f"image is a {type(image).__name__}; pass an array, numpy.asarray(image)")


def unit_range(image: Array) -> None:
    """Refuses float pixels that are plainly not in [0, 1]; what is traced has no values to look at and passes.

    Raises:
        ValueError: if they are in 0 to 255, or have been normalised.

    >>> import numpy as np
    >>> unit_range(np.full((2, 2, 3), 255.0))
    Traceback (most recent call last):
    ...
    ValueError: image has float values from 255 to 255; pass them in [0, 1], or as uint8
    """
    if isinstance(image, jax.core.Tracer) or image.dtype == np.uint8 or image.size == 0:
        return
    values = np.asarray(image)  # the array's own minimum would be traced, too, when something else is
    low, high = float(values.min()), float(values.max())
    if low < -0.5 or high > 1.5:  # noise and overshoot go a little beyond
        raise ValueError(f"image has float values from {low:.4g} to {high:.4g}; pass them in [0, 1], or as uint8")


def picture(image: Array) -> tuple[int, int, int]:
    """Height, width and channels of one picture.

    Raises:
        ValueError: if it is no array, a batch, a single plane, or has its channels first.

    >>> import numpy as np
    >>> picture(np.zeros((2, 5, 3)))
    (2, 5, 3)
    """
    array(image)
    if image.ndim != 3:
        raise ValueError(f"image has shape {image.shape}; pass one (height, width, channels), and jax.vmap for a batch")
    height, width, channels = image.shape
    if height == 3 and width > 4 and channels > 4:
        raise ValueError(f"image has shape {image.shape}, channels first; move them last: (height, width, channels)")
    return height, width, channels


def colors(image: Array, operation: str) -> None:
    """Refuses what has no colour: ``operation`` needs red, green and blue along the last axis.

    Raises:
        ValueError: unless the last axis has length 3.
    """
    channels = image.shape[-1] if image.ndim else 0
    if channels != 3:
        raise ValueError(f"{operation} needs red, green and blue along the last axis, got shape {image.shape}")
