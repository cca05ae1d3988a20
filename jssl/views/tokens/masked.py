"""Some tokens of a row are hidden, and must be named."""

import jax
import jax.numpy as jnp
from jax import Array


def masked_tokens(
    key: Array,
    tokens: Array,
    segments: Array,
    *,
    mask_id: int,
    vocabulary: int,
    rate: float = 0.15,
    max_predictions: int | None = None,
    special: tuple[int, ...] = (),
) -> dict[str, Array]:
    """Hides a fixed share of a row's tokens, as BERT does.

    A row of n real tokens has ``min(max_predictions, max(1, round(rate * n)))`` hidden places, all alike likely. Of these, each by
    itself, 80 % hold the mask, 10 % a token drawn from the whole vocabulary, perhaps the same one, and 10 % what they held.

    Args:
        key: PRNG key.
        tokens: (L,) integers.
        segments: (L,) integers: 0 is padding, which is never hidden; 1, 2, ... the documents packed into the row.
        mask_id: the token that stands for a hidden one; the row's dtype must hold it.
        vocabulary: tokens drawn at random are in [0, vocabulary).
        rate: share of the real tokens that is hidden.
        max_predictions: most hidden places of a row; None for no limit.
        special: ids of tokens that are never hidden, though they count as real.

    Returns:
        "tokens": (L,) with hidden ones; "segments": (L,) as they came; "positions": (K,) int32, the hidden places in no
        order, K those of a row without padding; "targets": (K,) what they held, in the tokens' dtype; "weights": (K,)
        float32, 1 for the slots that are used, else 0.

    Raises:
        ValueError: the two are not rows of one length, or not integers, or a rate beyond (0, 1).

    Reference: Devlin et al. 2018, "BERT", https://arxiv.org/abs/1810.04805; ``create_masked_lm_predictions`` of its code.
    Others draw each token by itself, so that the number of hidden ones varies.

    >>> row = jnp.arange(10, 30)
    >>> view = masked_tokens(jax.random.key(0), row, jnp.ones(20, jnp.int32), mask_id=99, vocabulary=99)
    >>> view["targets"].shape, (row[view["positions"]] == view["targets"]).tolist()
    ((3,), [True, True, True])
    """
    if tokens.ndim != 1 or tokens.shape != segments.shape:
        raise ValueError(f"tokens have shape {tokens.shape}, segments {segments.shape}; pass two rows of one length")
    if not all(jnp.issubdtype(row.dtype, jnp.integer) for row in (tokens, segments)):
        raise ValueError(f"tokens are {tokens.dtype}, segments {segments.dtype}; both must be integers")
    if not 0 < rate < 1:
        raise ValueError(f"rate={rate}; the share of hidden tokens is above 0 and below 1")
    most = min(max_predictions or len(tokens), max(1, round(rate * len(tokens))))
    order_key, how_key, random_key = jax.random.split(key, 3)
    real = segments > 0
    candidates = real & ~jnp.isin(tokens, jnp.asarray(special, tokens.dtype)) if special else real
    wanted = jnp.maximum(jnp.round(rate * jnp.sum(real.astype(jnp.float32))), 1).astype(jnp.int32)
    count = jnp.minimum(jnp.minimum(wanted, most), jnp.sum(candidates))

    draws = jax.random.bits(order_key, tokens.shape) >> 1
    positions = jnp.argsort(jnp.where(candidates, draws, jnp.uint32(2**32 - 1)))[:most].astype(jnp.int32)
    used = jnp.arange(most) < count
    targets = tokens[positions]
    how = jax.random.uniform(how_key, (most,))
    random = jax.random.randint(random_key, (most,), 0, vocabulary, tokens.dtype)
    shown = jnp.where(how < 0.8, jnp.asarray(mask_id, tokens.dtype), jnp.where(how < 0.9, random, targets))
    return {
        "tokens": tokens.at[positions].set(jnp.where(used, shown, targets)),
        "segments": segments,
        "positions": positions,
        "targets": targets,
        "weights": used.astype(jnp.float32),
    }
