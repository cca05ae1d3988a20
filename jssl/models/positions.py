"""Fixed 2-D sine-cosine positions, resampling of position tables, and reading tokens by index."""

import jax
import jax.numpy as jnp
import numpy as np


def sincos_2d(width: int, grid: int) -> np.ndarray:
    """The (grid * grid, width) table of fixed positions, rows in raster order.

    The first half of the columns encodes the patch's column, the second half its row; each half is
    [sin(p w_0) ... sin(p w_n), cos(p w_0) ... cos(p w_n)] with w_i = 10000^(-i / n), n = width / 4.

    Args:
      width: columns, a multiple of 4.
      grid: patches per side.

    Returns:
      float32 table.

    Raises:
      ValueError: the width is not a multiple of 4.

    >>> sincos_2d(8, 3).shape
    (9, 8)

    He et al., arXiv:2111.06377.
    """
    if width % 4:
        raise ValueError(f"sin-cos positions need a width divisible by 4, got {width}")
    frequency = 10000.0 ** (-np.arange(width // 4, dtype=np.float64) / (width // 4))
    angle = np.outer(np.arange(grid, dtype=np.float64), frequency)
    line = np.concatenate([np.sin(angle), np.cos(angle)], 1)  # (grid, width / 2)
    column, row = np.tile(line, (grid, 1)), np.repeat(line, grid, 0)
    return np.concatenate([column, row], 1).astype(np.float32)


def resample(table: jax.Array, grid: tuple[int, int]) -> jax.Array:
    """Bicubic resampling of a square (1, N, D) position table to ``grid`` rows and columns; the table itself if equal.

    Like DINO and MAE, without antialiasing when shrinking. Their bicubic kernel has a = -0.75, this one a = -0.5.
    """
    side = round(table.shape[1] ** 0.5)
    if grid == (side, side):
        return table
    width = table.shape[-1]
    plane = table.reshape(1, side, side, width).astype(jnp.float32)
    plane = jax.image.resize(plane, (1, *grid, width), "cubic", antialias=False)
    return plane.reshape(1, -1, width).astype(table.dtype)


def take_tokens(tokens: jax.Array, indices: jax.Array) -> jax.Array:
    """(B, N, D), (B, K) -> (B, K, D). An index that is out of range gives NaN, not another token."""
    return jnp.take_along_axis(tokens, indices[..., None], axis=1)
