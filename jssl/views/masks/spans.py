"""Spans of frames that are masked, as many in every example of one length, so that shapes are static."""

import jax
import jax.numpy as jnp
from jax import Array


def span_ranks(key: Array, num_frames: int, *, span: int, length: Array | int | None = None) -> Array:
    """Spans start at random frames, one after another, wherever a whole one fits; which is the first to cover each frame?

    The frames of rank less than n are those that n spans mask, with starts drawn without replacement, as in the authors'
    code of wav2vec 2.0: spans may overlap.

    Args:
      key: PRNG key.
      num_frames: T, static.
      span: frames of a span, static.
      length: the true number of frames, of which a span must be part; None for all. Where it is less than a span, the one
        span that starts at 0 covers all of them.

    Returns:
      (T,) int32 in 0..T-1, the number of the first span that covers the frame; T for frames past the true length.

    Raises:
      ValueError: the span is not in [1, T].

    >>> ranks = span_ranks(jax.random.key(0), 12, span=4)
    >>> int((ranks < 1).sum())  # the first span
    4
    """
    if not 1 <= span <= num_frames:
        raise ValueError(f"span={span} of {num_frames} frames: use 1 to {num_frames}")
    length = num_frames if length is None else length
    places = jnp.arange(num_frames, dtype=jnp.int32)
    fits = places <= jnp.maximum(length - span, 0)
    # Random bits are cut to 31 so that what does not fit can come last; lexsort would need the same two sorts.
    bits = (jax.random.bits(key, (num_frames,)) >> 1).astype(jnp.int32)
    order = jnp.argsort(jnp.where(fits, bits, jnp.iinfo(jnp.int32).max))
    number = jnp.zeros(num_frames, jnp.int32).at[order].set(places)
    number = jnp.where(fits, number, num_frames)
    before = jnp.concatenate([jnp.full(span - 1, num_frames, jnp.int32), number])
    first = jnp.min(jnp.stack([before[i : i + num_frames] for i in range(span)]), axis=0)
    return jnp.where(places < length, first, num_frames)


def span_mask(
    key: Array, num_frames: int, *, count: int, span: int, length: Array | int | None = None
) -> tuple[Array, Array, Array]:
    """Masks spans of frames until ``count`` are masked; the last span is cut short where it would be too many.

    The authors' code of wav2vec 2.0 draws a number of spans and then takes masked frames away at random until all
    utterances of the batch have as many as the one with the fewest, which makes a mask depend on the other examples.

    Args:
      key: PRNG key.
      num_frames: T, static.
      count: M, masked frames of a whole example, static.
      span: frames of a span, static.
      length: the true number of frames; None for all. Of fewer frames the same share is masked, rounded, and at least one.

    Returns:
      indices: (M,) int32, the masked frames in order of time, then any others.
      kept: (M,) bool, which of the indices are masked: all of them when the example is whole.
      mask: (T,) bool, what is masked.

    Raises:
      ValueError: the span is not in [1, T], or the count not in [1, T].

    >>> indices, kept, mask = span_mask(jax.random.key(0), 20, count=6, span=4, length=10)
    >>> int(kept.sum()), int(mask.sum()), bool(mask[10:].any()), mask[indices].tolist() == kept.tolist()
    (3, 3, False, True)

    Reference: Baevski et al., "wav2vec 2.0: A Framework for Self-Supervised Learning of Speech Representations", 2020
    (arXiv:2006.11477). There 6.5 % of the frames start a span of 10, which masks about 49 %.
    """
    if not 1 <= count <= num_frames:
        raise ValueError(f"{count} of {num_frames} frames to mask: use 1 to {num_frames}")
    ranks = span_ranks(key, num_frames, span=span, length=length)
    number = jnp.asarray(count, jnp.int32)
    if length is not None:
        share = jnp.round(count * jnp.asarray(length, jnp.float32) / num_frames).astype(jnp.int32)
        number = jnp.clip(share, 1, count)
    order = jnp.argsort(ranks, stable=True)  # whole spans one after another, each in order of time
    places = jnp.arange(num_frames, dtype=jnp.int32)
    masked = (places < number) & (ranks[order] < num_frames)
    mask = jnp.zeros(num_frames, bool).at[order].set(masked)
    indices = jnp.argsort(~mask, stable=True)[:count].astype(jnp.int32)
    return indices, mask[indices], mask


def other_indices(key: Array, count: int, number: int, *, among: Array | int | None = None) -> Array:
    """For each of ``count`` places, the indices of ``number`` others, drawn with replacement.

    Args:
      key: PRNG key.
      count: M places, static.
      number: N, static.
      among: only the first so many places are drawn; None for all. Alone, a place is its own other.

    Returns:
      (M, N) int32.

    >>> others = other_indices(jax.random.key(0), 5, 100, among=3)
    >>> sorted(set(others[0].tolist())), sorted(set(others[1].tolist()))
    ([1, 2], [0, 2])
    """
    among = jnp.asarray(count if among is None else among, jnp.int32)
    drawn = jax.random.randint(key, (count, number), 0, jnp.maximum(among - 1, 1))
    own = jnp.arange(count, dtype=jnp.int32)[:, None]
    others = drawn + (drawn >= own).astype(jnp.int32)
    return jnp.minimum(others, jnp.maximum(among - 1, 0))
