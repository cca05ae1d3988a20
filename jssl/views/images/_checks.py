"""What every operation on a picture refuses, in one line."""

from jax import Array


def picture(image: Array) -> tuple[int, int, int]:
    """Height, width and channels of one picture.

    Raises:
        ValueError: if it is a batch, a single plane, or has its channels first.

    >>> import numpy as np
    >>> picture(np.zeros((2, 5, 3)))
    (2, 5, 3)
    """
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
