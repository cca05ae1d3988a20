"""What an encoder returns, whatever it reads: one vector per example, its tokens, and some of its layers."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Features(NamedTuple):
    """The output of every encoder here.

    Attributes:
      pooled: (B, D), one vector per example; None where the encoder was told not to pool.
      tokens: (B, N, D), what was pooled: patches in raster order, words, frames; None where there are none.
      layers: (K, B, N, D), the outputs of the last K blocks, before the final norm, when they were asked for.
      pooled_layers: (K, B, D), what pooling makes of those outputs, each after the final norm.
      class_token: (B, D), after the final norm, where there is one.
      local: (B, N, C), the same places before the network puts them into context, where it has two such stages.
      pyramid: the map of each stage, (B, h, w, C), the finest first, when they were asked for.
    """

    pooled: jax.Array | None
    tokens: jax.Array | None = None
    layers: jax.Array | None = None
    pooled_layers: jax.Array | None = None
    class_token: jax.Array | None = None
    local: jax.Array | None = None
    pyramid: tuple[jax.Array, ...] | None = None


def mean_tokens(tokens: jax.Array, mask: jax.Array | None = None) -> jax.Array:
    """(B, N, D) -> (B, D): the mean in float32 of the tokens that ``mask`` (B, N) bool keeps; zero where it keeps none.

    >>> mean_tokens(jnp.arange(4.0).reshape(1, 4, 1), jnp.array([[True, True, True, False]])).tolist()
    [[1.0]]
    """
    x = tokens.astype(jnp.float32)
    if mask is None:
        return x.mean(1).astype(tokens.dtype)
    weight = mask.astype(jnp.float32)[..., None]
    return ((x * weight).sum(1) / jnp.maximum(weight.sum(1), 1.0)).astype(tokens.dtype)
