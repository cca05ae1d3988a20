"""Images to patch vectors."""

import jax

__all__ = ["patchify"]


def patchify(images: jax.Array, *, patch_size: int) -> jax.Array:
    """Cuts images into squares, in raster order; a patch vector runs over its rows, columns, then channels.

    Args:
      images: (..., H, W, C) with H and W multiples of patch_size.
      patch_size: side p of a patch in pixels.

    Returns:
      (..., H/p * W/p, p*p*C) in the dtype of images.

    Raises:
      ValueError: images have fewer than three axes, or a side is not a multiple of patch_size.

    >>> import jax.numpy as jnp
    >>> patchify(jnp.arange(16).reshape(1, 4, 4, 1), patch_size=2)[0].tolist()
    [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    """
    if images.ndim < 3:
        raise ValueError(f"patchify: images must be (..., height, width, channels), got shape {images.shape}")
    *batch, height, width, channels = images.shape
    if patch_size < 1 or height % patch_size or width % patch_size:
        raise ValueError(f"patchify: images of {height}x{width} cannot be cut into patches of {patch_size}")
    rows, columns = height // patch_size, width // patch_size
    x = images.reshape(-1, rows, patch_size, columns, patch_size, channels).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(*batch, rows * columns, patch_size * patch_size * channels)
