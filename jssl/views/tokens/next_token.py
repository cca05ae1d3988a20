"""Every token of a document names the one that follows it."""

import jax.numpy as jnp
from jax import Array


def next_token(tokens: Array, segments: Array) -> dict[str, Array]:
    """Splits a packed row into what a causal model reads and what each position must predict.

    Targets are the tokens shifted left by one *within each document*: nothing is predicted across a boundary, so a
    packed row trains on the same pairs as its documents one by one. The last token of a document is only ever a target.

    Args:
        tokens: (L,) integers.
        segments: (L,) integers: 0 is padding; 1, 2, ... the documents packed into the row, each in one piece.

    Returns:
        "tokens" and "segments": (L,) as they came, for a network that must not look across documents; "targets": (L,)
        in the dtype of the tokens, 0 where there is nothing to predict; "weights": (L,) float32, 1 where there is, else 0.

    Raises:
        ValueError: if the two are not rows of one length, or not integers.

    Reference: Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training". Code that packs text
    without segments also predicts the first token of each document from the end of the one before it; this does not.

    >>> view = next_token(jnp.array([5, 6, 7, 8, 9, 0]), jnp.array([1, 1, 1, 2, 2, 0]))
    >>> view["targets"].tolist(), view["weights"].tolist()
    ([6, 7, 0, 9, 0, 0], [1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    """
    if tokens.ndim != 1 or tokens.shape != segments.shape:
        raise ValueError(f"tokens have shape {tokens.shape}, segments {segments.shape}; pass two rows of one length")
    if not all(jnp.issubdtype(row.dtype, jnp.integer) for row in (tokens, segments)):
        raise ValueError(f"tokens are {tokens.dtype}, segments {segments.dtype}; both must be integers")
    follows = jnp.pad((segments[1:] == segments[:-1]) & (segments[1:] > 0), (0, 1))
    targets = jnp.where(follows, jnp.roll(tokens, -1), jnp.zeros_like(tokens))
    return {"tokens": tokens, "segments": segments, "targets": targets, "weights": follows.astype(jnp.float32)}
