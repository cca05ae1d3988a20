"""An encoder of waveforms: convolutions make frames, another network puts them into context."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from jssl.models.audio.waveform import WaveformConvolutions, num_frames
from jssl.models.features import Features
from jssl.models.norms import layer_norm


class WaveEncoder(nn.Module):
    """Waveforms -> frames -> frames in context.

    Attributes:
      context: ``FrameTransformer``, ``FrameGRU``, or any module that takes frames, ``real`` and ``keys``.
      layers: of the convolutions, see ``WaveformConvolutions``.
      norm: of the convolutions.
      convolution_gradient: what the gradient into the convolutions is multiplied by; 0.1 in wav2vec 2.0.
      dtype: compute dtype.
      param_dtype: parameter dtype.

    >>> from jssl.models import FrameGRU
    >>> model = WaveEncoder(FrameGRU(width=8), layers=((6, 10, 5), (6, 4, 4)))
    >>> audio = jnp.ones((2, 200))
    >>> features = model.apply(model.init(jax.random.key(0), audio), audio, length=jnp.array([200, 90]))
    >>> features.pooled.shape, features.tokens.shape, features.local.shape, model.frames(200)
    ((2, 8), (2, 9, 8), (2, 9, 6), 9)
    """

    context: nn.Module
    layers: tuple[tuple[int, int, int], ...]
    norm: str = "group"
    convolution_gradient: float = 1.0
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, audio: jax.Array, *, length: jax.Array | None = None, keys: jax.Array | None = None, **options
    ) -> Features:
        """Encodes waveforms.

        Args:
          audio: (B, T) float.
          length: (B,) int, true samples of each; None for all.
          keys: (B,) PRNG keys for the context network; None for evaluation.
          **options: of the context network: ``masked``, ``last``.

        Returns:
          What the context network does, with ``local`` (B, N, C), the output of the convolutions. What comes out in the place of
          padding means nothing.
        """
        frames, counts = WaveformConvolutions(
            tuple(tuple(layer) for layer in self.layers),  # type: ignore[misc]
            self.norm,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            name="convolutions",
        )(audio, length=length)
        frames = optax.scale_gradient(frames, self.convolution_gradient)
        real = jnp.arange(frames.shape[1], dtype=jnp.int32)[None] < counts[:, None]
        x = layer_norm(frames, name="norm", dtype=self.dtype, param_dtype=self.param_dtype)
        return self.context(x, real=real, keys=keys, **options)._replace(local=frames)

    def frames(self, samples):
        """How many frames there are of so many samples, see ``num_frames``."""
        return num_frames(samples, self.layers)
