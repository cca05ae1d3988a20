"""Gated recurrent units over frames."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl import collectives
from jssl.models.features import Features, mean_tokens
from jssl.models.transformer import dense


class GRULayer(nn.Module):
    """One layer, from the first frame to the last, as PyTorch has it:

    r = sigmoid(W_r x + U_r h), z = sigmoid(W_z x + U_z h), n = tanh(W_n x + r * (U_n h + c)), h' = (1 - z) * n + z * h.

    All products with the input are one, before the recurrence.

    Attributes:
      width: of the state.
      dtype: compute dtype of the products; the state is float32.
      param_dtype: parameter dtype.
    """

    width: int
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, N, C) -> (B, N, width)."""
        inputs = dense(3 * self.width, "input", self.dtype, self.param_dtype)(x).astype(jnp.float32)
        orthogonal = nn.initializers.orthogonal()

        def init(key, shape, dtype):
            """An orthogonal matrix per gate."""
            return jnp.concatenate([orthogonal(k, (shape[0],) * 2, dtype) for k in jax.random.split(key, 3)], 1)

        kernel = self.param("recurrent", init, (self.width, 3 * self.width), self.param_dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.width,), self.param_dtype)
        # Every device has its own copy inside of the loop: its gradients are summed over devices once, not at each step.
        kernel = collectives.vary_like(kernel.astype(self.dtype), inputs)
        bias = collectives.vary_like(bias.astype(jnp.float32)[None], inputs)
        start = collectives.vary_like(jnp.zeros((len(x), self.width), jnp.float32), inputs)

        def step(state, of_input):
            product = jnp.dot(state.astype(self.dtype), kernel, preferred_element_type=jnp.float32)
            reset, update, new = jnp.split(of_input, 3, axis=-1)
            of_reset, of_update, of_new = jnp.split(product, 3, axis=-1)
            reset, update = nn.sigmoid(reset + of_reset), nn.sigmoid(update + of_update)
            new = jnp.tanh(new + reset * (of_new + bias))
            state = (1.0 - update) * new + update * state
            return state, state

        _, states = jax.lax.scan(step, start, inputs.swapaxes(0, 1))
        return states.swapaxes(0, 1).astype(self.dtype)


class FrameGRU(nn.Module):
    """A stack of GRU layers over frames, each beside a residual connection where widths agree (APC, arXiv:1904.03240).

    Attributes:
      width: of the states.
      depth: layers.
      dtype: compute dtype.
      param_dtype: parameter dtype.

    >>> model, frames = FrameGRU(width=8, depth=2), jnp.ones((2, 5, 3))
    >>> features = model.apply(model.init(jax.random.key(0), frames), frames)
    >>> features.pooled.shape, features.tokens.shape
    ((2, 8), (2, 5, 8))
    """

    width: int
    depth: int = 1
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, frames: jax.Array, *, real: jax.Array | None = None, keys: jax.Array | None = None) -> Features:
        """Encodes frames; no frame sees a later one.

        Args:
          frames: (B, N, C).
          real: (B, N) bool, False for padding at the end, which is not pooled.
          keys: not used, nothing is random.

        Returns:
          Features: pooled (B, width), the mean of the real frames; tokens (B, N, width).
        """
        del keys
        x = frames.astype(self.dtype)
        for i in range(self.depth):
            y = GRULayer(self.width, dtype=self.dtype, param_dtype=self.param_dtype, name=f"gru_{i}")(x)
            x = x + y if x.shape[-1] == self.width else y
        return Features(mean_tokens(x, real), x)
