"""Multi-block masks of V-JEPA over the tubelets of a clip, with static shapes."""

import math
from typing import cast

import jax
import jax.numpy as jnp
from jax import Array

from jssl.views.masks.multiblock import _pack, _span, _thin, truncate_context

_TRIES = 8


def multi_block_3d(
    key: Array,
    batch_key: Array | None,
    grid: tuple[int, int, int],
    *,
    sampler: str = "fixed",
    num_blocks: int = 8,
    spatial_scale: tuple[float, float] = (0.15, 0.15),
    temporal_scale: tuple[float, float] = (1.0, 1.0),
    aspect: tuple[float, float] = (0.75, 1.5),
    max_context_duration: float = 1.0,
    context_size: int | None = None,
    target_size: int | None = None,
) -> dict[str, Array]:
    """Blocks cut out of a clip: the target is their union, the context everything else (V-JEPA), for one clip.

    V-JEPA predicts twice from each clip, from what eight blocks of 0.15 of the frame leave, and from what two of 0.7 leave,
    each block over all frames: call this once for each kind.

    ``sampler="official"`` draws what the authors' code draws:

    - all blocks of all clips of a batch have one size, from ``batch_key``: share of the frames, share of the frame's area and
      aspect ratio are uniform and independent;
    - blocks are placed uniformly, anew until they leave a context;
    - a batch is cut to its shortest context and its shortest target in the order of time, so that the last frames of clips
      are lost first: ``truncate_clip_masks``. ``context_size`` and ``target_size``, too, cut in that order.

    ``sampler="fixed"`` (default): every block has a size of its own, nothing depends on the rest of the batch (``batch_key`` is
    not used), and what is longer than ``context_size`` or ``target_size`` loses random tubelets.

    In both, if eight placements in a row leave no context, the first block alone is cut out.

    Args:
        key: PRNG key of the example.
        batch_key: PRNG key shared by the batch, for "official"; may be None for "fixed".
        grid: tubelets along time, rows and columns.
        sampler: "fixed" or "official".
        num_blocks: blocks cut out.
        spatial_scale: range of a block's area as a share of the frame.
        temporal_scale: range of its duration as a share of the clip.
        aspect: range of its height / width.
        max_context_duration: share of the clip, from its start, that the context may see; the rest is target.
        context_size: slots of the context; None for as many as there may be.
        target_size: slots of the target; None likewise.

    Returns:
        context: (Kc,) int32 indices of tubelets, the frames one after another, each in raster order; empty slots hold 0.
        context_mask: (Kc,) bool, which slots are filled.
        target, target_mask: (Kt,) likewise.

    Raises:
        ValueError: for an unknown sampler, bad ranges, or blocks that may be the whole clip.

    Reference: Bardes et al. 2024, https://arxiv.org/abs/2404.08471; ``src/masks/multiblock3d.py`` of its code.

    >>> masks = jax.jit(lambda key: multi_block_3d(key, None, (4, 6, 6), context_size=60))(jax.random.key(0))
    >>> masks["context"].shape, masks["target"].shape
    ((60,), (144,))
    """
    duration, height, width = cast(tuple[int, int, int], tuple(grid))
    _check(sampler, batch_key, num_blocks, spatial_scale, temporal_scale, aspect, max_context_duration)
    official = sampler == "official"
    tallest, widest = (
        math.sqrt(height * width * spatial_scale[1] * aspect[1]),
        math.sqrt(height * width * spatial_scale[1] / aspect[0]),
    )
    if round(tallest) >= height and round(widest) >= width and spatial_scale[1] == 1 and temporal_scale[1] == 1:
        raise ValueError(
            f"spatial_scale={spatial_scale}, temporal_scale={temporal_scale}: a block may be the whole clip, which leaves no "
            "context; lower one of them"
        )
    size_key, place_key, context_key, target_key = jax.random.split(key, 4)
    size_key = batch_key if official else size_key  # type: ignore[assignment]  # batch_key was checked
    draws = jax.random.uniform(size_key, (3, 1 if official else num_blocks))
    sizes = _sizes(draws, (duration, height, width), spatial_scale, temporal_scale, aspect)  # (1 or blocks, 3)

    free = jnp.asarray([duration, height, width], jnp.int32)[None] - sizes + 1
    places = jax.random.uniform(place_key, (_TRIES, num_blocks, 3))
    starts = jnp.minimum((places * free[None].astype(jnp.float32)).astype(jnp.int32), free[None] - 1)
    lengths = jnp.broadcast_to(sizes[None], starts.shape)
    time, rows, columns = (
        _span(starts[..., axis], lengths[..., axis], side) for axis, side in enumerate((duration, height, width))
    )
    blocks = time[..., :, None, None] & rows[..., None, :, None] & columns[..., None, None, :]
    hidden = jnp.any(blocks, axis=1)  # (tries, T, H, W)
    hidden = jnp.concatenate([hidden, blocks[:1, 0]])
    seen = max(1, int(duration * max_context_duration))
    hidden = hidden | (jnp.arange(duration) >= seen)[None, :, None, None]
    leaves = jnp.any(~hidden, axis=(1, 2, 3))
    target = hidden[jnp.argmax(leaves)].reshape(-1)

    found = {}
    for name, present, slots, thin_key in (
        ("context", ~target, context_size, context_key),
        ("target", target, target_size, target_key),
    ):
        slots = min(slots or target.size, target.size)
        if not official and slots < target.size:
            present = _thin(thin_key, present, slots)
        found[name], found[f"{name}_mask"] = _pack(present, slots)
    return found


def truncate_clip_masks(masks: dict[str, Array], axis_name=None) -> dict[str, Array]:
    """Cuts every context of a batch to the shortest one, and every target, in the order of time (V-JEPA's collator).

    Args:
        masks: a batch of what ``multi_block_3d`` returns, (B, Kc) and (B, Kt).
        axis_name: mapped axes the batch is split over. The authors truncate per process; here the batch is global.

    Returns:
        The same dict with fewer filled slots; the slots that are emptied hold 0.

    >>> mask = jnp.array([[True, True, False], [True, True, True]])
    >>> indices = jnp.array([[4, 5, 0], [4, 5, 6]])
    >>> cut = truncate_clip_masks({"context": indices, "context_mask": mask, "target": indices, "target_mask": mask})
    >>> cut["target"].tolist()
    [[4, 5, 0], [4, 5, 0]]
    """
    cut = dict(masks)
    for name in ("context", "target"):
        short = truncate_context({"context": masks[name], "context_mask": masks[f"{name}_mask"]}, axis_name)
        cut[name], cut[f"{name}_mask"] = short["context"], short["context_mask"]
    return cut


def distance_to_target(masks: dict[str, Array], grid: tuple[int, int, int]) -> Array:
    """(Kc,) float32: how far each tubelet of a context is from the nearest of the target, in tubelets; 0 in empty slots.

    Euclidean over time, rows and columns, as in V-JEPA 2.1 (arXiv:2603.14482), which weights its loss on the context by one over
    the square root of it.

    Args:
        masks: of one clip, as ``multi_block_3d`` returns them.
        grid: tubelets along time, rows and columns.

    >>> masks = {"context": jnp.array([0, 3]), "context_mask": jnp.array([True, True])}
    >>> distance_to_target(masks | {"target": jnp.array([1, 0]), "target_mask": jnp.array([True, False])}, (1, 2, 2)).tolist()
    [1.0, 1.0]
    """
    context, target = (
        jnp.stack(jnp.unravel_index(masks[name], tuple(grid)), -1).astype(jnp.float32) for name in ("context", "target")
    )
    squares = jnp.sum(jnp.square(context[:, None] - target[None]), -1)
    squares = jnp.where(masks["target_mask"][None], squares, jnp.inf)
    return jnp.where(masks["context_mask"], jnp.sqrt(jnp.min(squares, 1)), 0.0)


def _sizes(draws: Array, grid, spatial_scale, temporal_scale, aspect) -> Array:
    """(3, M) uniform numbers -> (M, 3) int32: duration, height and width of blocks."""

    def between(draw, low_high):
        return low_high[0] + draw * (low_high[1] - low_high[0])

    duration, height, width = grid
    long = jnp.maximum(jnp.floor(duration * between(draws[0], temporal_scale)), 1)
    area = jnp.floor(height * width * between(draws[1], spatial_scale))
    ratio = between(draws[2], aspect)
    tall = jnp.clip(jnp.rint(jnp.sqrt(area * ratio)), 1, height)
    wide = jnp.clip(jnp.rint(jnp.sqrt(area / ratio)), 1, width)
    return jnp.stack([long, tall, wide], -1).astype(jnp.int32)


def _check(sampler, batch_key, num_blocks, spatial_scale, temporal_scale, aspect, max_context_duration):
    if sampler not in ("fixed", "official"):
        raise ValueError(f"sampler={sampler!r}; use 'fixed' or 'official'")
    if sampler == "official" and batch_key is None:
        raise ValueError("sampler='official' draws block sizes from batch_key; pass one key for the whole batch")
    if num_blocks < 1:
        raise ValueError(f"num_blocks={num_blocks}: cut out at least one")
    for name, (low, high) in (("spatial_scale", spatial_scale), ("temporal_scale", temporal_scale)):
        if not 0 < low <= high <= 1:
            raise ValueError(f"{name}={(low, high)}: need 0 < low <= high <= 1")
    if not 0 < aspect[0] <= aspect[1]:
        raise ValueError(f"aspect={tuple(aspect)}: need 0 < low <= high")
    if not 0 < max_context_duration <= 1:
        raise ValueError(f"max_context_duration={max_context_duration} is outside (0, 1]")
