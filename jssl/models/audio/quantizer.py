"""Product quantisation by a Gumbel softmax."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl.models.norms import layer_norm


class Quantized(NamedTuple):
    """What a quantiser returns.

    Attributes:
      vectors: (B, N, D), the chosen entries, one of each group side by side.
      probabilities: (B, N, G, V) float32 of the codes, without noise.
      chosen: (B, N, G) int32, the codes that are taken where there is no noise.
    """

    vectors: jax.Array
    probabilities: jax.Array
    chosen: jax.Array


def _gumbel(key, shape):
    """Noise, from a key that other parts of a network may fold numbers into as well."""
    return jax.random.gumbel(jax.random.fold_in(key, 0), shape, jnp.float32)


class GumbelQuantizer(nn.Module):
    """Chooses one of V vectors in each of G groups (arXiv:1611.01144 as in wav2vec 2.0, arXiv:2006.11477).

    In training the choice is the largest logit under Gumbel noise, and its gradient that of the softmax at a temperature
    (straight-through). Without keys there is no noise. Input is layer-normed first; the authors share this norm with that
    of the context network.

    Attributes:
      groups: G, 2.
      codes: V, in each group, 320.
      width: D of the vectors, 256; G divides it.
      dtype: of the vectors; logits are float32.
      param_dtype: parameter dtype.

    >>> model, frames = GumbelQuantizer(groups=2, codes=5, width=8), jnp.ones((1, 3, 4))
    >>> variables = model.init(jax.random.key(0), frames)
    >>> quantized = model.apply(variables, frames, temperature=2.0, keys=jax.random.split(jax.random.key(1), 1))
    >>> quantized.vectors.shape, quantized.probabilities.shape, quantized.chosen.shape
    ((1, 3, 8), (1, 3, 2, 5), (1, 3, 2))
    """

    groups: int = 2
    codes: int = 320
    width: int = 256
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, frames: jax.Array, *, temperature: float | jax.Array = 1.0, keys: jax.Array | None = None
    ) -> Quantized:
        """Quantises frames.

        Args:
          frames: (B, N, C).
          temperature: of the softmax whose gradient is taken, float32 scalar.
          keys: (B,) PRNG keys, one per example, for the noise; None for none.

        Raises:
          ValueError: the groups do not divide the width.
        """
        if self.width % self.groups:
            raise ValueError(f"{self.groups} groups of codes do not divide width {self.width}")
        shape = (*frames.shape[:2], self.groups, self.codes)
        x = layer_norm(frames, name="norm", param_dtype=self.param_dtype)
        logits = nn.Dense(
            self.groups * self.codes,
            kernel_init=nn.initializers.normal(1.0),
            dtype=jnp.float32,
            param_dtype=self.param_dtype,
            name="logits",
        )(x).reshape(shape)
        entries = (self.groups, self.codes, self.width // self.groups)
        codebook = self.param("codebook", nn.initializers.uniform(1.0), entries, self.param_dtype)
        noisy = logits
        if keys is not None:
            noisy = logits + jax.vmap(_gumbel, (0, None))(keys, shape[1:])
        soft = jax.nn.softmax(noisy / temperature, axis=-1)
        hard = jax.nn.one_hot(jnp.argmax(noisy, axis=-1), self.codes, dtype=jnp.float32)
        choice = hard + (soft - jax.lax.stop_gradient(soft))  # in this order its value is exactly hard
        vectors = jnp.einsum("bngv,gvd->bngd", choice.astype(self.dtype), codebook.astype(self.dtype))
        return Quantized(
            vectors.reshape(*shape[:2], self.width),
            jax.nn.softmax(logits, axis=-1),
            jnp.argmax(logits, axis=-1).astype(jnp.int32),
        )
