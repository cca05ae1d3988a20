"""Shuffled tiles of an image: by which permutation of a fixed set were they shuffled?"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jssl.views.images import _checks, geometric, photometric

_ENUMERATED = 9  # all permutations of up to so many tiles are candidates, 362,880 for nine
_CANDIDATES = 100_000  # random ones of more


def _all_permutations(tiles: int) -> np.ndarray:
    """(tiles, tiles!) int8: k is inserted at every place of every permutation of 0..k-1."""
    columns = np.zeros((1, 1), np.int8)
    for k in range(1, tiles):
        columns = np.concatenate([np.insert(columns, place, k, axis=0) for place in range(k + 1)], axis=1)
    return columns


@functools.cache
def jigsaw_permutations(num: int, tiles: int = 9, seed: int = 0) -> np.ndarray:
    """Chooses permutations that differ in as many places as possible (Hamming distance), one after the other.

    The first is random; each further one is the candidate whose distance to the *nearest* chosen one is largest, ties
    broken by the largest mean distance. Two permutations that differ in two places are the same puzzle but for one
    swap, which may not be decidable.

    Args:
        num: how many permutations, the classes of the puzzle.
        tiles: how many tiles each permutes.
        seed: of the first choice (and of the candidates, for more than nine tiles).

    Returns:
        (num, tiles) int32 numpy array, read-only because it is cached.

    Raises:
        ValueError: if there are not so many.

    Reference: Noroozi and Favaro 2016, https://arxiv.org/abs/1603.09246, who maximise the mean distance alone: a
    hundred permutations of nine tiles chosen like that hold pairs at distance 2, where this set has 6 at least and the
    same mean.

    >>> sorted(jigsaw_permutations(4, tiles=4)[:, 0].tolist())  # each tile comes first once
    [0, 1, 2, 3]
    """
    if tiles <= _ENUMERATED:
        candidates = _all_permutations(tiles)
    else:
        rows = np.tile(np.arange(tiles, dtype=np.int8), (_CANDIDATES, 1))
        candidates = np.ascontiguousarray(np.random.default_rng(seed).permuted(rows, axis=1).T)
    available = candidates.shape[1]
    if not 1 <= num <= available:
        raise ValueError(f"num={num} permutations of {tiles} tiles; choose from 1 to {available}")
    chosen = np.empty((num, tiles), np.int32)
    nearest, total = np.full(available, tiles, np.int32), np.zeros(available, np.int32)
    best = int(np.random.default_rng(seed).integers(available))
    for i in range(num):
        chosen[i] = candidates[:, best]
        distance = np.zeros(available, np.int8)
        for row, tile in zip(candidates, chosen[i]):
            distance += row != tile
        np.minimum(nearest, distance, out=nearest)
        total += distance
        # The mean decides only between equals: it is below one step of the minimum.
        best = int(np.argmax(nearest * (num * tiles + 1) + total))
    chosen.flags.writeable = False
    return chosen


def jigsaw(
    key: Array,
    image: Array,
    *,
    grid: int,
    tile: int,
    permutations: np.ndarray,
    gray_prob: float = 0.3,
    channel_jitter: int = 1,
) -> dict[str, Array]:
    """Cuts an image into tiles and shuffles them, without what would give the order away.

    What a network could use instead of the content, and what is done about it:

    - edges that run on from tile to tile: each tile is a random crop of its cell, so gaps and offsets are random;
    - means and variances, which neighbours share: each tile has mean zero and standard deviation one per channel (less
      where it is flatter than one grey level of 255);
    - chromatic aberration, which tells the place in a photograph: an image is grey with probability ``gray_prob``, and
      otherwise the channels of every tile are displaced by random amounts.

    Args:
        key: PRNG key.
        image: (H, W, C) uint8 or float in [0, 1]; pixels that the grid cannot share out evenly are cut off around it.
        grid: cells along a side.
        tile: side t of the tiles in pixels, below that of a cell.
        permutations: (P, grid^2) whole numbers, see `jigsaw_permutations`.
        gray_prob: probability of dropping the colour of the whole image; 0 for an image without colours.
        channel_jitter: largest displacement of a channel along both axes, in pixels; it never leaves the cell.

    Returns:
        "tiles": (grid^2, t, t, C) float32, tile i cut from cell ``permutations[label][i]`` (cells in raster order);
        "label": int32 in 0..P-1, all equally likely.

    Raises:
        ValueError: if tiles do not fit into their cells, the permutations are not of ``grid^2`` tiles, or an image
            without colours is to drop them.

    Reference: Noroozi and Favaro 2016, https://arxiv.org/abs/1603.09246: 225 x 225 pixels, ``grid=3``, ``tile=64`` in
    cells of 75, ``gray_prob=0.3``, ``channel_jitter=2``.

    >>> make = jax.jit(functools.partial(jigsaw, grid=3, tile=8, permutations=jigsaw_permutations(30)))
    >>> puzzle = make(jax.random.key(0), jnp.ones((32, 32, 3)))
    >>> puzzle["tiles"].shape, puzzle["label"].dtype.name
    ((9, 8, 8, 3), 'int32')
    """
    height, width, channels = _checks.picture(image)
    rows, columns, num_tiles = height // grid, width // grid, grid * grid
    if not 0 < tile < min(rows, columns):
        raise ValueError(
            f"tile={tile} in cells of {rows} x {columns} ({height} x {width} image, grid={grid}); "
            "tiles must be smaller than cells, or edges run on from one to the next"
        )
    if np.ndim(permutations) != 2 or np.shape(permutations)[1] != num_tiles:
        raise ValueError(f"permutations have shape {np.shape(permutations)}; grid={grid} needs (P, {num_tiles})")
    # One draw for everything: the label, whether it is grey, the corner of every tile, the shift of each of its channels.
    draws = jax.random.uniform(key, (2 + num_tiles * (1 + channels) * 2,))
    moves = draws[2:].reshape(num_tiles, 1 + channels, 2)
    place, shift = moves[:, :1], moves[:, 1:]

    is_gray = draws[1] < gray_prob
    pixels = photometric.to_float(image)
    if gray_prob:
        pixels = jnp.where(is_gray, photometric.grayscale(key, pixels, prob=1.0), pixels)
    top, left = (height - grid * rows) // 2, (width - grid * columns) // 2
    cells = pixels[top : top + grid * rows, left : left + grid * columns].reshape(grid, rows, grid, columns, channels)
    cells = cells.transpose(0, 2, 4, 1, 3).reshape(num_tiles, channels, rows, columns)

    free = np.array([rows, columns], np.float32).reshape(1, 1, 2) - tile
    shift = jnp.where(is_gray, 0.0, jnp.floor(shift * (2 * channel_jitter + 1)) - channel_jitter)
    corner = jnp.clip(jnp.floor(place * (free + 1)) + shift, 0.0, free)

    def cut(plane: Array, at: Array) -> Array:
        # At its own size a resized crop copies pixels.
        return geometric.resize_crop(plane[..., None], (at[0], at[1], tile, tile), size=tile)[..., 0]

    tiles = jnp.moveaxis(jax.vmap(jax.vmap(cut))(cells, corner), 1, -1)
    tiles = tiles - jnp.mean(tiles, axis=(1, 2), keepdims=True)
    tiles = tiles / jnp.maximum(jnp.sqrt(jnp.mean(jnp.square(tiles), axis=(1, 2), keepdims=True)), 1.0 / 255.0)
    label = (draws[0] * len(permutations)).astype(jnp.int32)
    return {"tiles": tiles[jnp.asarray(permutations)[label]], "label": label}
