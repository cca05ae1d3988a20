"""Block-wise masks of BEiT, iBOT and DINOv2, with static shapes."""

import math
from typing import cast

import jax
import jax.numpy as jnp
from jax import Array

_TRIES = 10  # placements in a row that may fail before a mask is left as it is


def block_mask(
    key: Array,
    grid: int | tuple[int, int],
    *,
    num_masked: int | Array,
    min_block: int = 4,
    max_block: int | None = None,
    aspect: tuple[float, float] = (0.3, 1 / 0.3),
) -> Array:
    """Masks rectangles, which may overlap, until ``num_masked`` patches are covered.

    The area of a rectangle is uniform between ``min_block`` and what is still to be covered, its aspect ratio uniform
    in the logarithm, its place uniform. A rectangle that covers nothing new, or more than is allowed, is drawn again;
    after ten failures in a row the mask stays as it is. So up to a few patches may be missing, and never one too many.

    Args:
        key: PRNG key of the example.
        grid: patches per side, or (rows, columns).
        num_masked: how many patches to mask; may be traced, see ``masked_count``.
        min_block: smallest area drawn, in patches, while at least so many are to be covered.
        max_block: most patches that one rectangle may add; None for no limit but ``num_masked``.
        aspect: range of height / width.

    Returns:
        (rows * columns,) bool in raster order, True where masked.

    Raises:
        ValueError: for more patches than the grid has, or bad ranges.

    References: Bao et al. 2021, https://arxiv.org/abs/2106.08254, and Zhou et al. 2021,
    https://arxiv.org/abs/2111.07832. Masks are distributed as in the code of DINOv2 (Oquab et al. 2023,
    https://arxiv.org/abs/2304.07193), which passes half the patches as ``max_block``.

    >>> mask = jax.jit(lambda key: block_mask(key, 8, num_masked=32))(jax.random.key(0))
    >>> mask.shape, 28 < int(mask.sum()) <= 32
    ((64,), True)
    """
    height, width = (grid, grid) if isinstance(grid, int) else cast(tuple[int, int], tuple(grid))
    if isinstance(num_masked, int) and not 0 <= num_masked <= height * width:
        raise ValueError(f"num_masked={num_masked} of {height * width} patches; mask at least none and at most all")
    if not 0 < aspect[0] <= aspect[1]:
        raise ValueError(f"aspect={aspect}: need 0 < low <= high")
    if min_block < 1 or (max_block is not None and max_block < 1):
        raise ValueError(f"min_block={min_block}, max_block={max_block}: a block has at least one patch")
    wanted = jnp.asarray(num_masked, jnp.int32)
    low, high = math.log(aspect[0]), math.log(aspect[1])

    def unfinished(state):
        mask, failures, _ = state
        return (jnp.sum(mask, dtype=jnp.int32) < wanted) & (failures < _TRIES)

    def attempt(state):
        mask, failures, number = state
        draws = jax.random.uniform(jax.random.fold_in(key, number), (4,))
        room = wanted - jnp.sum(mask, dtype=jnp.int32)
        room = room if max_block is None else jnp.minimum(room, max_block)
        area = min_block + draws[0] * (room.astype(jnp.float32) - min_block)
        ratio = jnp.exp(low + draws[1] * (high - low))
        h, w = jnp.rint(jnp.sqrt(area * ratio)), jnp.rint(jnp.sqrt(area / ratio))
        top, left = jnp.floor(draws[2] * (height - h + 1.0)), jnp.floor(draws[3] * (width - w + 1.0))
        rows, columns = jnp.arange(height, dtype=jnp.float32), jnp.arange(width, dtype=jnp.float32)
        block = ((rows >= top) & (rows < top + h))[:, None] & ((columns >= left) & (columns < left + w))[None, :]
        new = jnp.sum(block & ~mask, dtype=jnp.int32)
        # As the authors do, blocks are smaller than the grid in both directions.
        good = (h < height) & (w < width) & (new > 0) & (new <= room)
        return mask | (block & good), jnp.where(good, 0, failures + 1), number + 1

    # A zero made from the key: inside shard_map the carry must vary over the devices from the start, as the draws do.
    zero = (jax.random.bits(key, ()) & 0).astype(jnp.int32)
    start = (jnp.zeros((height, width), bool) | (zero != 0), zero, zero)
    return jax.lax.while_loop(unfinished, attempt, start)[0].reshape(-1)


def masked_count(
    key: Array, num_patches: int, *, ratio: tuple[float, float] = (0.1, 0.5), probability: float = 0.5
) -> Array:
    """How many patches of one image to mask: a uniform share, or none for some images (DINOv2).

    Args:
        key: PRNG key of the example; another one than that of the mask.
        num_patches: N.
        ratio: range of the share of patches.
        probability: that the image is masked at all.

    Returns:
        int32 scalar, ``floor(N * share)`` or 0.

    Raises:
        ValueError: if ratio is not in [0, 1] or is reversed, or probability is not in [0, 1].

    Reference: Oquab et al. 2023, https://arxiv.org/abs/2304.07193. The authors' code masks exactly the share
    ``probability`` of a batch, and spreads the ratios evenly over it; here each image is drawn on its own, from the
    same distribution, so that nothing depends on the rest of the batch.

    >>> int(masked_count(jax.random.key(0), 196, ratio=(0.25, 0.25), probability=1.0))
    49
    """
    if not 0 <= ratio[0] <= ratio[1] <= 1 or not 0 <= probability <= 1:
        raise ValueError(f"ratio={ratio}, probability={probability}: need 0 <= low <= high <= 1, and a probability")
    draws = jax.random.uniform(key, (2,))
    share = ratio[0] + draws[0] * (ratio[1] - ratio[0])
    return jnp.where(draws[1] < probability, jnp.floor(num_patches * share), 0.0).astype(jnp.int32)
