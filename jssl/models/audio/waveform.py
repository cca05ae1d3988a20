"""Convolutions that turn a waveform into frames."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl.models.activations import gelu
from jssl.models.norms import layer_norm

WAV2VEC2 = ((512, 10, 5), *((512, 3, 2),) * 4, *((512, 2, 2),) * 2)
"""(channels, kernel, stride) of the layers of wav2vec 2.0: a frame of 25 ms every 20 ms at 16 kHz."""
CPC = ((256, 10, 5), (256, 8, 4), *((256, 4, 2),) * 3)
"""Those of CPC: a frame every 10 ms at 16 kHz."""


def num_frames(samples: int | jax.Array, layers: tuple[tuple[int, int, int], ...]) -> Any:
    """How many frames the layers make of so many samples, at least one.

    Args:
      samples: a number, or an integer array of them.
      layers: (channels, kernel, stride) of each.

    >>> num_frames(16000, WAV2VEC2), num_frames(jnp.array([320, 720]), WAV2VEC2).tolist()
    (49, [1, 2])
    """
    for _, kernel, stride in layers:
        samples = (samples - kernel) // stride + 1
    return max(samples, 1) if isinstance(samples, int) else jnp.maximum(samples, 1)


class WaveformConvolutions(nn.Module):
    """Convolutions with a norm and a GELU, as in wav2vec 2.0 (arXiv:2006.11477) and with ``norm="layer"`` much as in CPC
    (arXiv:1807.03748), whose activation is a ReLU.

    What comes out of an example's true samples does not depend on what follows them: statistics over time are those of
    the true frames. The authors' take padding in, which is why their base model must be given zeros there.

    Attributes:
      layers: (channels, kernel, stride) of each.
      norm: ``"group"``, every channel over time, after the first layer only (the base model); ``"layer"``, every frame
        over its channels, after each layer, which have biases then (the large one).
      dtype: compute dtype; norms are float32 always.
      param_dtype: parameter dtype.

    >>> model = WaveformConvolutions(((8, 10, 5), (8, 4, 4)))
    >>> audio = jnp.ones((2, 200))
    >>> variables = jax.jit(model.init)(jax.random.key(0), audio)
    >>> frames, counts = jax.jit(model.apply)(variables, audio, length=jnp.array([200, 100]))
    >>> frames.shape, counts.tolist()
    ((2, 9, 8), [9, 4])
    """

    layers: tuple[tuple[int, int, int], ...]
    norm: str = "group"
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, audio: jax.Array, *, length: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """(B, T) float waveforms -> frames.

        Args:
          audio: (B, T).
          length: (B,) int, true samples of each; None for all.

        Returns:
          frames (B, N, C) in the compute dtype, and how many of them are true, (B,) int32. A frame is, when all of the samples
          that it sees are; the first one always.

        Raises:
          ValueError: no such norm, or a waveform shorter than what one frame sees.
        """
        if self.norm not in ("group", "layer"):
            raise ValueError(f"norm={self.norm!r}: use group or layer")
        samples = audio.shape[1]
        count = jnp.full(len(audio), samples, jnp.int32) if length is None else length.astype(jnp.int32)
        x = audio.astype(self.dtype)[..., None]
        for i, layer in enumerate(self.layers):
            channels, kernel, stride = layer
            if x.shape[1] < kernel:
                raise ValueError(f"{samples} samples are fewer than one frame of the convolutions {self.layers} sees")
            x = nn.Conv(
                channels,
                (kernel,),
                (stride,),
                padding="VALID",
                use_bias=self.norm == "layer",
                kernel_init=nn.initializers.he_normal(),
                dtype=self.dtype,
                param_dtype=self.param_dtype,
                name=f"conv_{i}",
            )(x)
            count = num_frames(count, (layer,))
            if self.norm == "layer":
                x = layer_norm(x, name=f"norm_{i}", dtype=self.dtype, param_dtype=self.param_dtype)
            elif i == 0:
                x = self._over_time(x, count)
            x = gelu(x)
        return x, count

    def _over_time(self, x, count):
        """Group norm with a group per channel, over the first ``count`` frames."""
        channels = x.shape[-1]
        scale = self.param("norm_scale", nn.initializers.ones, (channels,), self.param_dtype)
        bias = self.param("norm_bias", nn.initializers.zeros, (channels,), self.param_dtype)
        weight = (jnp.arange(x.shape[1])[None] < count[:, None]).astype(jnp.float32)[..., None]
        x, total = x.astype(jnp.float32), jnp.maximum(weight.sum(1, keepdims=True), 1.0)
        x = x - (x * weight).sum(1, keepdims=True) / total
        x = x * jax.lax.rsqrt((jnp.square(x) * weight).sum(1, keepdims=True) / total + 1e-5)
        return (x * scale[None, None] + bias[None, None]).astype(self.dtype)
