"""Positions: fixed 2-D tables and their resampling, places within packed documents, rotations; tokens by index."""

import jax
import jax.numpy as jnp
import numpy as np


def sincos_2d(width: int, grid: int | tuple[int, int]) -> np.ndarray:
    """The (rows * columns, width) table of fixed positions, rows in raster order.

    The first half of the columns encodes the patch's column, the second half its row; each half is
    [sin(p w_0) ... sin(p w_n), cos(p w_0) ... cos(p w_n)] with w_i = 10000^(-i / n), n = width / 4.

    Args:
      width: columns, a multiple of 4.
      grid: rows and columns of patches; one number is both.

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
    rows, columns = (grid, grid) if isinstance(grid, int) else grid
    angle = np.outer(np.arange(max(rows, columns), dtype=np.float64), frequency)
    line = np.concatenate([np.sin(angle), np.cos(angle)], 1)  # (grid, width / 2)
    column, row = np.tile(line[:columns], (rows, 1)), np.repeat(line[:rows], columns, 0)
    return np.concatenate([column, row], 1).astype(np.float32)


def resample(table: jax.Array, grid: tuple[int, int], made_for: tuple[int, int] | None = None) -> jax.Array:
    """Bicubic resampling of a (1, N, D) position table to ``grid`` rows and columns; the table itself if equal.

    The table was made for as many rows and columns as ``made_for`` says; None is a square.

    Like DINO and MAE, without antialiasing when shrinking. Their bicubic kernel has a = -0.75, this one a = -0.5.
    """
    side = round(table.shape[1] ** 0.5)
    made_for = made_for or (side, side)
    if grid == made_for:
        return table
    width = table.shape[-1]
    plane = table.reshape(1, *made_for, width).astype(jnp.float32)
    plane = jax.image.resize(plane, (1, *grid, width), "cubic", antialias=False)
    return plane.reshape(1, -1, width).astype(table.dtype)


def within_segments(segments: jax.Array) -> jax.Array:
    """(B, L) int -> (B, L) int32: each token's place in its run of equal ids, from 0 at the run's start.

    >>> within_segments(jnp.array([[1, 1, 1, 2, 2, 0]])).tolist()
    [[0, 1, 2, 0, 1, 0]]
    """
    place = jnp.broadcast_to(jnp.arange(segments.shape[1], dtype=jnp.int32), segments.shape)
    starts = jnp.pad(segments[:, 1:] != segments[:, :-1], ((0, 0), (1, 0)), constant_values=True)
    return place - jax.lax.cummax(jnp.where(starts, place, 0), axis=1)


def rotary_angles(places: jax.Array, width: int) -> tuple[jax.Array, jax.Array]:
    """Cosine and sine of what ``rotate`` turns each pair of channels by: p * 10000^(-2 i / width) for pair i at place p.

    Args:
      places: (B, N) int; B may be 1 where all examples agree.
      width: channels of a head, even.

    Returns:
      Two float32 arrays (B, N, 1, width / 2).

    Raises:
      ValueError: the width is odd.

    Su et al., RoFormer, arXiv:2104.09864.
    """
    if width % 2:
        raise ValueError(f"rotary positions need heads of an even width, got {width}: change the width or the heads")
    frequency = (10000.0 ** (-np.arange(width // 2, dtype=np.float64) / (width // 2))).astype(np.float32)
    angle = places.astype(jnp.float32)[..., None, None] * frequency[None, None, None]
    return jnp.cos(angle), jnp.sin(angle)


def rotate(x: jax.Array, angles: tuple[jax.Array, jax.Array]) -> jax.Array:
    """(B, N, H, D) queries or keys, turned by their places, so that their products see distances only; in x's dtype.

    Channel i is paired with i + D / 2, as in GPT-NeoX and Llama's port; RoFormer pairs neighbours, a permutation of the
    channels that a learned projection undoes.
    """
    cos, sin = angles
    a, b = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], -1).astype(x.dtype)


def take_tokens(tokens: jax.Array, indices: jax.Array) -> jax.Array:
    """(B, N, D), (B, K) -> (B, K, D). An index that is out of range gives NaN, not another token."""
    return jnp.take_along_axis(tokens, indices[..., None], axis=1)
