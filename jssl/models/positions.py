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


def sincos_3d(width: int, grid: tuple[int, int, int], *, uniform: bool = True) -> np.ndarray:
    """The (T * H * W, width) table of fixed positions in a clip, frame after frame, each in raster order.

    The columns encode [frame | row | column] of a tubelet, each as [sin ... | cos ...] with the frequencies of ``sincos_2d``.

    Args:
      width: columns, even.
      grid: tubelets along time, rows and columns.
      uniform: each axis takes a third of the columns, rounded up to an even number, and what is too much is cut off at the
        end (``uniform_power`` of V-JEPA's code, as in its published runs); else time takes half and the others a quarter.

    Returns:
      float32 table.

    Raises:
      ValueError: the width is odd, or no multiple of 8 where it is not split uniformly.

    >>> sincos_3d(24, (2, 3, 4)).shape
    (24, 24)

    Bardes et al., V-JEPA, arXiv:2404.08471.
    """
    if width % 2 or not uniform and width % 8:
        raise ValueError(f"sin-cos positions need a width divisible by {2 if uniform else 8}, got {width}")
    third = 2 * -(-width // 6)
    widths = (third,) * 3 if uniform else (width // 2, width // 4, width // 4)
    lines = []
    for axis, columns in zip(np.indices(grid).reshape(3, -1), widths):
        frequency = 10000.0 ** (-np.arange(columns // 2, dtype=np.float64) / (columns // 2))
        angle = np.outer(axis, frequency)
        lines += [np.sin(angle), np.cos(angle)]
    return np.concatenate(lines, 1)[:, :width].astype(np.float32)


def sincos(width: int, grid: int | tuple[int, ...]) -> np.ndarray:
    """``sincos_2d`` of rows and columns, ``sincos_3d`` of time, rows and columns."""
    if isinstance(grid, tuple) and len(grid) == 3:
        return sincos_3d(width, grid)
    return sincos_2d(width, grid)  # type: ignore[arg-type]


def coordinates(indices: jax.Array, grid: int | tuple[int, ...]) -> jax.Array:
    """(...,) places in a grid in raster order -> (..., A) int32 along each of its axes; one number is rows and columns.

    >>> coordinates(jnp.array([0, 5]), (2, 2, 2)).tolist()
    [[0, 0, 0], [1, 0, 1]]
    """
    grid = (grid, grid) if isinstance(grid, int) else grid
    return jnp.stack(jnp.unravel_index(indices, grid), -1).astype(jnp.int32)


def resample(table: jax.Array, grid: tuple[int, ...], made_for: tuple[int, ...] | None = None) -> jax.Array:
    """Cubic resampling of a (1, N, D) position table to another grid, of pictures or clips; the table itself if equal.

    The table was made for the grid ``made_for``; None is a square.

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

    In a grid of A axes each has an Ath of the pairs to itself, with frequencies as if these were all; pairs that are left over
    are not turned. V-JEPA 2 (arXiv:2506.09985) does so with time, rows and columns.

    Args:
      places: (B, N) int, or (B, N, A) along the axes of a grid; B may be 1 where all examples agree.
      width: channels of a head, even, and enough for a pair per axis.

    Returns:
      Two float32 arrays (B, N, 1, width / 2).

    Raises:
      ValueError: the width is odd, or too small.

    Su et al., RoFormer, arXiv:2104.09864.
    """
    if width % 2:
        raise ValueError(f"rotary positions need heads of an even width, got {width}: change the width or the heads")
    places = places[..., None] if places.ndim == 2 else places
    axes = places.shape[-1]
    pairs = width // 2 // axes
    if not pairs:
        raise ValueError(f"rotary positions along {axes} axes need heads of at least {2 * axes} channels, got {width}")
    frequency = (10000.0 ** (-np.arange(pairs, dtype=np.float64) / pairs)).astype(np.float32)
    turns = [places[..., axis : axis + 1].astype(jnp.float32) * frequency[None, None] for axis in range(axes)]
    angle = jnp.concatenate(turns, -1)
    angle = jnp.pad(angle, ((0, 0), (0, 0), (0, width // 2 - axes * pairs)))[:, :, None]
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
