"""Images and clips to patch vectors."""

import math

import jax

__all__ = ["patchify"]


def patchify(images: jax.Array, *, patch_size: int | tuple[int, ...]) -> jax.Array:
    """Cuts images into squares, in raster order; a patch vector runs over its rows, columns, then channels.

    Args:
      images: (..., H, W, C) with H and W multiples of patch_size.
      patch_size: side p of a patch in pixels; or its rows and columns; or the frames, rows and columns of a tubelet, for clips
        (..., T, H, W, C), which are cut frame after frame.

    Returns:
      (..., H/p * W/p, p*p*C) in the dtype of images; of clips (..., N, t*p*p*C).

    Raises:
      ValueError: images have too few axes, or a side is not a multiple of that of a patch.

    >>> import jax.numpy as jnp
    >>> patchify(jnp.arange(16).reshape(1, 4, 4, 1), patch_size=2)[0].tolist()
    [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    >>> patchify(jnp.zeros((5, 4, 8, 8, 3)), patch_size=(2, 4, 4)).shape
    (5, 8, 96)
    """
    patch = (patch_size, patch_size) if isinstance(patch_size, int) else tuple(patch_size)
    axes = len(patch)
    if images.ndim < axes + 1:
        needed = ", ".join(("frames", "height", "width")[-axes:])
        raise ValueError(f"patchify: images must be (..., {needed}, channels), got shape {images.shape}")
    batch, sides, channels = images.shape[: -axes - 1], images.shape[-axes - 1 : -1], images.shape[-1]
    if any(size < 1 or side % size for side, size in zip(sides, patch)):
        what = "x".join(map(str, sides))
        raise ValueError(f"patchify: images of {what} cannot be cut into patches of {patch_size}")
    grid = [side // size for side, size in zip(sides, patch)]
    x = images.reshape(-1, *(n for pair in zip(grid, patch) for n in pair), channels)
    x = x.transpose(0, *range(1, 2 * axes, 2), *range(2, 2 * axes + 1, 2), 2 * axes + 1)
    return x.reshape(*batch, math.prod(grid), math.prod(patch) * channels)
