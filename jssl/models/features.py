"""What an encoder returns, whatever it reads: one vector per example, its tokens, and some of its layers."""

from typing import NamedTuple

import jax


class Features(NamedTuple):
    """The output of every encoder here.

    Attributes:
      pooled: (B, D), one vector per example; None where the encoder was told not to pool.
      tokens: (B, N, D), what was pooled: patches in raster order, words, frames; None where there are none.
      layers: (K, B, N, D), the outputs of the last K blocks, before the final norm, when they were asked for.
    """

    pooled: jax.Array | None
    tokens: jax.Array | None = None
    layers: jax.Array | None = None
