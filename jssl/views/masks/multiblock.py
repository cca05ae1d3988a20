"""Multi-block masks of I-JEPA with static shapes."""

import functools
import math
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jssl import collectives

_LEVELS = 128  # scale and aspect are each one of 128 equally spaced values, so that all block sizes are known
_TRIES = 20


@functools.cache
def _block_sizes(
    grid: tuple[int, int], scale: tuple[float, float], aspect: tuple[float, float], official: bool
) -> np.ndarray:
    """(levels, 2) int32 heights and widths, all rows equally likely; made on the host in float64, so exact anywhere."""
    height, width = grid
    if not 0 < scale[0] <= scale[1] <= 1 or not 0 < aspect[0] <= aspect[1]:
        raise ValueError(f"scale={scale}, aspect={aspect}: need 0 < low <= high, and scale at most 1")
    count = _LEVELS * _LEVELS if official else _LEVELS
    level = (np.arange(count) + 0.5) / count
    scales, aspects = (low + level * (high - low) for low, high in (scale, aspect))
    area = height * width * scales
    if official:
        area = np.floor(area)  # one uniform number drives both: large blocks are also the tall ones
        limit = (height - 1, width - 1)
    else:
        area, aspects = (x.ravel() for x in np.meshgrid(area, aspects, indexing="ij"))
        limit = grid
    sides = [
        np.clip(np.rint(np.sqrt(x)), 1, top) for x, top in ((area * aspects, limit[0]), (area / aspects, limit[1]))
    ]
    return np.stack(sides, axis=1).astype(np.int32)


def _span(start: Array, length: Array, size: int) -> Array:
    """(..., size) bool: whether each row (or column) is in ``[start, start + length)``."""
    at = jnp.arange(size).reshape((1,) * start.ndim + (size,))
    return (at >= start[..., None]) & (at < (start + length)[..., None])


def _place(key: Array, shape: tuple[int, ...], sizes: Array, grid: tuple[int, int], official: bool) -> Array:
    """(*shape, 2) int32 uniform top-left corners for blocks of ``sizes`` (broadcast to the same shape)."""
    room = np.broadcast_to(np.array(grid, np.int32) + (0 if official else 1), (*shape, 2))
    free = room - jnp.broadcast_to(sizes, (*shape, 2))
    draws = jax.random.uniform(key, (*shape, 2))
    return jnp.minimum((draws * free.astype(jnp.float32)).astype(jnp.int32), free - 1)


def _cover(corners: Array, sizes: Array, grid: tuple[int, int]) -> Array:
    """(..., H, W) bool: the patches of each block."""
    sizes = jnp.broadcast_to(sizes, corners.shape)
    rows = _span(corners[..., 0], sizes[..., 0], grid[0])
    columns = _span(corners[..., 1], sizes[..., 1], grid[1])
    return rows[..., :, None] & columns[..., None, :]


def _pack(present: Array, slots: int) -> tuple[Array, Array]:
    """Indices of the first ``slots`` True entries in order, and which slots are filled; empty slots hold 0."""
    size = present.shape[0]
    order = jnp.sort(jnp.where(present, jnp.arange(size, dtype=jnp.int32), size))[:slots]
    return jnp.where(order < size, order, 0), order < size


def _target_slots(corners: Array, sizes: Array, slots: int, width: int) -> tuple[Array, Array]:
    """(M, slots) raster-ordered patch indices of each block and which slots are filled; empty slots hold 0."""
    k = jnp.arange(slots, dtype=jnp.int32)[None, :]
    rows, columns = corners[:, :1] + k // sizes[:, 1:], corners[:, 1:] + k % sizes[:, 1:]
    filled = k < sizes[:, :1] * sizes[:, 1:]
    return jnp.where(filled, rows * width + columns, 0), filled


def _official_context(key, targets, size, grid, min_keep, allow_overlap):
    """First of 20 positions with more than ``min_keep`` patches; then sparing the last target no more, and so on."""
    num_targets = 0 if allow_overlap else targets.shape[0]
    # level t forbids the first num_targets - t targets
    free = jnp.stack([~jnp.any(targets[: num_targets - t], axis=0) for t in range(num_targets + 1)])
    corners = _place(key, (num_targets + 1, _TRIES), size, grid, True)
    inside = _cover(corners, size, grid) & free[:, None]
    inside = inside.reshape(-1, *grid)
    return inside[jnp.argmax(jnp.sum(inside, axis=(1, 2)) > min_keep)]


def _fixed_context(key, targets, size, grid, min_keep):
    """First of 20 positions with at least ``min_keep`` patches outside the targets; else all patches outside them."""
    outside = ~jnp.any(targets, axis=0)
    inside = _cover(_place(key, (_TRIES,), size, grid, False), size, grid) & outside[None]
    enough = jnp.sum(inside, axis=(1, 2)) >= min_keep
    return jnp.where(jnp.any(enough), inside[jnp.argmax(enough)], outside)


def _thin(key: Array, present: Array, slots: int) -> Array:
    """Keeps a uniformly random subset of at most ``slots`` of the True entries."""
    # Integers sort several times faster than floats; what is absent sorts last.
    score = jnp.where(present, jax.random.bits(key, present.shape) >> 1, np.uint32(2**32 - 1))
    return present & (score <= jnp.sort(score)[slots - 1])


def multi_block(
    key: Array,
    batch_key: Array | None,
    grid: int | tuple[int, int],
    *,
    sampler: str = "fixed",
    num_contexts: int = 1,
    num_targets: int = 4,
    target_scale: tuple[float, float] = (0.15, 0.2),
    target_aspect: tuple[float, float] = (0.75, 1.5),
    context_scale: tuple[float, float] = (0.85, 1.0),
    context_size: int | None = None,
    min_keep: int = 10,
    allow_overlap: bool = False,
) -> dict[str, Array]:
    """Target blocks, and large square context blocks without them (I-JEPA), for one image.

    ``sampler="official"`` draws what the authors' code draws:

    - one target size and one context size for the whole batch, from ``batch_key``;
    - one uniform number sets both scale and aspect ratio, so the two are tied;
    - blocks are shorter than the grid and never touch its last row or column: those patches are never a target, and
      are never in the context either;
    - the context must keep *more than* ``min_keep`` patches; after 20 failures it may overlap the last target, after
      20 more the last two, and so on;
    - a batch is cut to its shortest context in raster order, so the bottom of images is lost: ``truncate_context``.

    ``sampler="fixed"`` (default) repairs all of them: every target of every image has its own size, scale and aspect
    are independent, blocks may touch every border, the context keeps at least ``min_keep`` patches and never overlaps a
    target (if 20 positions fail it is everything outside the targets), and contexts longer than ``context_size``
    lose random patches. Nothing depends on the rest of the batch, and ``batch_key`` is not used.

    Args:
        key: PRNG key of the example.
        batch_key: PRNG key shared by the batch, for "official"; may be None for "fixed".
        grid: patches per side, or (rows, columns).
        sampler: "fixed" or "official".
        num_contexts: C, each placed by itself; in the paper 1.
        num_targets: M.
        target_scale: range of the target area as a fraction of the grid.
        target_aspect: range of target height / width.
        context_scale: range of the context area; the context block is square.
        context_size: Kc, slots of the context; None holds the largest possible block.
        min_keep: see above.
        allow_overlap: do not remove the targets from the context.

    Returns:
        context: (C, Kc) int32 patch indices in raster order; empty slots hold 0.
        context_mask: (C, Kc) bool, which slots are filled.
        target: (M, Kt) int32, Kt the area of the largest possible target; empty slots hold 0.
        target_mask: (M, Kt) bool.

    Raises:
        ValueError: for an unknown sampler, bad ranges, or an official sampler that could never end.

    Reference: Assran et al. 2023, https://arxiv.org/abs/2301.08243.

    >>> masks = jax.jit(lambda key: multi_block(key, None, 8, context_size=32))(jax.random.key(0))
    >>> masks["context"].shape, masks["target"].shape
    ((1, 32), (4, 16))
    """
    grid = (grid, grid) if isinstance(grid, int) else cast(tuple[int, int], tuple(grid))
    if sampler not in ("fixed", "official"):
        raise ValueError(f"sampler={sampler!r}; use 'fixed' or 'official'")
    official = sampler == "official"
    if official and batch_key is None:
        raise ValueError("sampler='official' draws block sizes from batch_key; pass one key for the whole batch")
    target_sizes = _block_sizes(grid, tuple(target_scale), tuple(target_aspect), official)
    context_sizes = _block_sizes(grid, tuple(context_scale), (1.0, 1.0), official)
    target_slots, context_slots = (int(sizes.prod(axis=1).max()) for sizes in (target_sizes, context_sizes))
    smallest = min(int(sizes.prod(axis=1).min()) for sizes in (target_sizes, context_sizes))
    if official and smallest <= min_keep:
        raise ValueError(f"min_keep={min_keep}, but a block may have {smallest} patches; lower min_keep (grid {grid})")
    # "fixed" may fall back on everything outside the targets, which is at most the whole grid.
    slots = context_slots if official else math.prod(grid)
    slots = min(context_size or context_slots, slots)

    place_key, context_key, thin_key, size_key = jax.random.split(key, 4)
    size_key = batch_key if official else size_key  # type: ignore[assignment]  # batch_key was checked
    draws = jax.random.uniform(size_key, (1 + num_targets,))

    def drawn(table: np.ndarray, draw: Array) -> Array:
        return jnp.asarray(table)[jnp.floor(draw * len(table)).astype(jnp.int32)]

    context_block = drawn(context_sizes, draws[0])
    if official:
        sizes = jnp.broadcast_to(drawn(target_sizes, draws[1]), (num_targets, 2))
        corners = _place(place_key, (num_targets,), sizes, grid, True)
    else:
        # The first of a few placements that leaves room for a context; one nearly always does.
        sizes = drawn(target_sizes, draws[1:])
        many = _place(place_key, (8, num_targets), sizes[None], grid, False)
        room = jnp.sum(~jnp.any(_cover(many, sizes[None], grid), axis=1), axis=(1, 2))
        corners = many[jnp.argmax(jnp.minimum(room, min_keep))]
    targets = _cover(corners, sizes, grid)

    def context(number: int) -> tuple[Array, Array]:
        place, thin = (jax.random.fold_in(k, number) if number else k for k in (context_key, thin_key))
        if official:
            inside = _official_context(place, targets, context_block, grid, min_keep, allow_overlap).reshape(-1)
        else:
            barred = jnp.zeros_like(targets) if allow_overlap else targets
            inside = _fixed_context(place, barred, context_block, grid, min_keep).reshape(-1)
            if slots < inside.shape[0]:
                inside = _thin(thin, inside, slots)
        return _pack(inside, slots)

    indices, filled = (jnp.stack(parts) for parts in zip(*map(context, range(num_contexts))))
    target, target_filled = _target_slots(corners, sizes, target_slots, grid[1])
    return {"context": indices, "context_mask": filled, "target": target, "target_mask": target_filled}


def truncate_context(masks: dict[str, Array], axis_name=None) -> dict[str, Array]:
    """Cuts every context of a batch to the shortest one, in raster order, as the authors' I-JEPA collator does.

    Args:
        masks: a batch with "context" (B, ..., Kc) and "context_mask" likewise, as ``jax.vmap`` of ``multi_block`` gives;
            other entries pass.
        axis_name: mapped axes the batch is split over. The authors truncate per process; here the batch is global.

    Returns:
        The same dict with fewer filled slots; the slots that are emptied hold 0.

    >>> context = jnp.array([[1, 2, 3], [4, 5, 0]])
    >>> truncate_context({"context": context, "context_mask": context > 0})["context"].tolist()
    [[1, 2, 0], [4, 5, 0]]
    """
    mask = masks["context_mask"]
    shortest = collectives.min(jnp.min(jnp.sum(mask, axis=-1)), axis_name)
    mask = mask & (lax.broadcasted_iota(jnp.int32, mask.shape, mask.ndim - 1) < shortest)
    return {**masks, "context": jnp.where(mask, masks["context"], 0), "context_mask": mask}
