"""From a coarse map of features to a dense prediction: for denoising and colorization."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl.collectives import AxisName
from jssl.models.norms import batch_norm


class DenseDecoder(nn.Module):
    """Doubles the resolution once per hidden width (nearest neighbour, 3x3 convolution, batch norm, ReLU), then a 1x1.

    Nearest neighbour and a convolution leave no checkerboard, which a transposed convolution would.

    Attributes:
      widths: channels after each doubling.
      out_dim: channels of the prediction.
      dtype: compute dtype; the prediction is float32.
      param_dtype: parameter dtype.

    >>> model = DenseDecoder(widths=(8, 8), out_dim=3)
    >>> variables = model.init(jax.random.key(0), jnp.ones((2, 4, 4, 16)))
    >>> model.apply(variables, jnp.ones((2, 4, 4, 16))).shape
    (2, 16, 16, 3)
    """

    widths: tuple[int, ...]
    out_dim: int
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False, axis_name: AxisName = None) -> jax.Array:
        """(B, h, w, C) -> (B, h * 2^L, w * 2^L, out_dim) for L widths.

        Args:
          x: map of features.
          train: use and update batch statistics (``mutable=["batch_stats"]``); otherwise use the running ones.
          axis_name: mesh axis or axes over which batch norm takes its statistics.
        """
        x = x.astype(self.dtype)
        common = {"dtype": self.dtype, "param_dtype": self.param_dtype}
        for i, width in enumerate(self.widths, 1):
            x = x.repeat(2, 1).repeat(2, 2)
            x = nn.Conv(width, (3, 3), use_bias=False, name=f"conv{i}", **common)(x)
            x = nn.relu(batch_norm(x, name=f"norm{i}", train=train, axis_name=axis_name, **common))
        return nn.Dense(self.out_dim, name="out", **common)(x).astype(jnp.float32)
