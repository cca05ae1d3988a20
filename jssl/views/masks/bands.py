"""Bands of time and of frequency as targets, and what they leave as context, with static shapes."""

import jax
import jax.numpy as jnp

Array = jax.Array


def multi_band(
    key: Array,
    grid: tuple[int, int],
    *,
    num_time: int = 2,
    num_frequency: int = 2,
    time_scale: tuple[float, float] = (0.15, 0.2),
    frequency_scale: tuple[float, float] = (0.15, 0.2),
    num_contexts: int = 1,
    context_size: int | None = None,
) -> dict[str, Array]:
    """Whole bands of a spectrogram as targets, and everything outside of them as context.

    A band of time holds some neighbouring rows of patches with all their frequencies, one of frequency some neighbouring columns
    at all times. Its width is uniform over the whole numbers of rows or columns in its range, and at least one; its place is
    uniform. Bands may overlap.

    Args:
      key: PRNG key of the example.
      grid: rows (time) and columns (frequency) of patches.
      num_time: bands of time.
      num_frequency: bands of frequency.
      time_scale: range of the width of a band of time, share of the rows.
      frequency_scale: likewise, of the columns.
      num_contexts: C; where ``context_size`` makes them lose patches, each loses its own.
      context_size: Kc, slots of a context, which loses random patches where it is longer; None holds the whole grid.

    Returns:
      What ``multi_block`` returns: context (C, Kc) int32 and context_mask (C, Kc) bool; target (M, Kt) int32 and target_mask
      (M, Kt) bool, the bands of time first. Empty slots hold 0 and come last.

    Raises:
      ValueError: no band, a range that is no share, or bands so wide that they might leave no context.

    >>> masks = multi_band(jax.random.key(0), (8, 6))
    >>> masks["target"].shape, masks["target_mask"].sum(1).tolist()
    ((4, 12), [12, 12, 8, 8])

    Bands as masks are those of SpecAugment, Park et al., arXiv:1904.08779.
    """
    if num_time < 0 or num_frequency < 0 or not num_time + num_frequency:
        raise ValueError(f"num_time={num_time}, num_frequency={num_frequency}: use at least one band")
    ranges = []
    for what, share, side, number in (
        ("time_scale", time_scale, grid[0], num_time),
        ("frequency_scale", frequency_scale, grid[1], num_frequency),
    ):
        if not 0 < share[0] <= share[1] <= 1:
            raise ValueError(f"{what}={share}: need 0 < low <= high <= 1")
        low, high = (max(1, round(x * side)) for x in share)
        if number * high >= side:
            raise ValueError(f"{number} bands of up to {high} of {side} patches may leave no context; lower {what}")
        ranges.append((low, high))
    time_key, frequency_key, thin_key = jax.random.split(key, 3)
    at = jnp.arange(grid[0] * grid[1], dtype=jnp.int32)
    rows, columns = at // grid[1], at % grid[1]
    in_time = _bands(time_key, num_time, ranges[0], grid[0], rows)
    in_frequency = _bands(frequency_key, num_frequency, ranges[1], grid[1], columns)
    bands = jnp.concatenate([in_time, in_frequency])
    most = [high * other for number, (_, high), other in zip((num_time, num_frequency), ranges, grid[::-1]) if number]
    target, target_mask = _first(bands, max(most))

    outside = jnp.broadcast_to(~bands.any(0), (num_contexts, len(at)))
    slots = min(context_size or len(at), len(at))
    chance = jax.random.bits(thin_key, outside.shape) >> 1  # what is hidden ranks last
    rank = jnp.argsort(jnp.argsort(jnp.where(outside, chance, jnp.uint32(2**32 - 1)), 1), 1)
    context, context_mask = _first(outside & (rank < slots), slots)
    return {"context": context, "context_mask": context_mask, "target": target, "target_mask": target_mask}


def _bands(key: Array, number: int, widths: tuple[int, int], side: int, place: Array) -> Array:
    """(number, N) bool: which patches, at these places along an axis, each band holds."""
    width_key, start_key = jax.random.split(key)
    width = jax.random.randint(width_key, (number, 1), widths[0], widths[1] + 1)
    start = jax.random.randint(start_key, (number, 1), 0, side - width + 1)
    return (place[None] >= start) & (place[None] < start + width)


def _first(present: Array, slots: int) -> tuple[Array, Array]:
    """(..., slots): the places that are present, in order, and which slots hold one; empty ones hold 0."""
    size = present.shape[-1]
    order = jnp.sort(jnp.where(present, jnp.arange(size, dtype=jnp.int32), size), axis=-1)[..., :slots]
    return jnp.where(order < size, order, 0), order < size
