"""Projection and prediction heads."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl.models.norms import batch_norm


class MLP(nn.Module):
    """Dense, batch norm, activation per layer; the last layer is Dense alone, or Dense and batch norm.

    A Dense that batch norm follows has no bias, which the norm would subtract again.

    Attributes:
      features: width of every layer, the output last.
      batch_norm: normalise the hidden layers.
      final_batch_norm: normalise the output too.
      final_affine: give that last norm a scale and a bias; SimSiam and MoCo v3 give it none, SimCLR a scale.
      activation: between layers.
      axis_name: mesh axis or axes over which batch norm takes its statistics.
      dtype: compute dtype.
      param_dtype: parameter dtype.

    >>> model = MLP((16, 4))
    >>> variables = model.init(jax.random.key(0), jnp.ones((2, 8)), train=True)
    >>> model.apply(variables, jnp.ones((2, 8)), train=False).shape
    (2, 4)
    """

    features: tuple[int, ...]
    batch_norm: bool = True
    final_batch_norm: bool = False
    final_affine: bool = False
    activation: Callable = nn.relu
    axis_name: Any = None
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(B, D) -> (B, features[-1]) in the compute dtype."""
        x = x.astype(self.dtype)
        for i, features in enumerate(self.features, 1):
            last = i == len(self.features)
            norm = self.final_batch_norm if last else self.batch_norm
            x = nn.Dense(
                features, use_bias=not norm, dtype=self.dtype, param_dtype=self.param_dtype, name=f"dense{i}"
            )(x)  # fmt: skip
            if norm:
                affine = not last or self.final_affine
                x = batch_norm(
                    x, name=f"norm{i}", train=train, axis_name=self.axis_name, dtype=self.dtype,
                    param_dtype=self.param_dtype, use_scale=affine, use_bias=affine,
                )  # fmt: skip
            x = x if last else self.activation(x)
        return x
