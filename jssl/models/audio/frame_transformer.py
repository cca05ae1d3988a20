"""A transformer over frames, with convolutional positions or, where no frame may see a later one, rotary ones."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl.models.activations import gelu
from jssl.models.features import Features, mean_tokens
from jssl.models.norms import layer_norm
from jssl.models.transformer import Transformer, dense


class ConvolutionalPositions(nn.Module):
    """Relative positions from a wide grouped convolution with weight norm, as in wav2vec 2.0: GELU(conv(x)).

    Every place of the kernel has a length of its own (weight norm over the places), which starts where the authors'
    normal draw has it on average.

    Attributes:
      kernel: frames that it sees, 128.
      groups: of the channels, 16; they divide the width.
      dtype: compute dtype.
      param_dtype: parameter dtype.

    >>> x = jnp.ones((1, 9, 8))
    >>> model = ConvolutionalPositions(kernel=4, groups=2)
    >>> model.apply(model.init(jax.random.key(0), x), x).shape
    (1, 9, 8)
    """

    kernel: int = 128
    groups: int = 16
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, N, D), zero in place of padding -> (B, N, D).

        Raises:
          ValueError: the groups do not divide the width.
        """
        width = x.shape[-1]
        if width % self.groups:
            raise ValueError(f"{self.groups} groups of the convolutional positions do not divide width {width}")
        shape, deviation = (self.kernel, width // self.groups, width), (4 / (self.kernel * width)) ** 0.5
        kernel = self.param("kernel", nn.initializers.normal(deviation), shape, self.param_dtype)
        start = nn.initializers.constant(deviation * (shape[1] * shape[2]) ** 0.5)
        length = self.param("length", start, (self.kernel, 1, 1), self.param_dtype)
        bias = self.param("bias", nn.initializers.zeros, (width,), self.param_dtype)
        kernel = kernel * jax.lax.rsqrt(jnp.sum(jnp.square(kernel), axis=(1, 2), keepdims=True) + 1e-12) * length
        left = self.kernel // 2
        y = jax.lax.conv_general_dilated(
            x.astype(self.dtype),
            kernel.astype(self.dtype),
            (1,),
            [(left, self.kernel - 1 - left)],
            dimension_numbers=("NWC", "WIO", "NWC"),
            feature_group_count=self.groups,
        )
        return gelu(y + bias.astype(self.dtype)[None, None])


class FrameTransformer(nn.Module):
    """Transformer encoder of frames: a linear layer, positions, pre-norm blocks and a final norm.

    The large model of wav2vec 2.0 is built so; the base one normalises after the sums and has dropout.

    Attributes:
      width: of a token.
      depth: blocks.
      heads: attention heads.
      mlp_ratio: see ``Transformer``.
      causal: no frame sees a later one.
      positions: ``"convolution"``, or ``"rotary"``, which a causal network needs.
      kernel: of the convolutional positions, see there.
      groups: of the convolutional positions.
      drop_path, remat, scan, attention: see ``Transformer``.
      dtype: compute dtype; norms, softmax and pooling are float32 always.
      param_dtype: parameter dtype.

    >>> model = FrameTransformer(width=16, depth=1, heads=2, kernel=4, groups=2)
    >>> frames, real = jnp.ones((2, 7, 5)), jnp.arange(7)[None] < jnp.array([[7], [4]])
    >>> variables = jax.jit(model.init)(jax.random.key(0), frames)
    >>> features = jax.jit(model.apply)(variables, frames, real=real)
    >>> features.pooled.shape, features.tokens.shape
    ((2, 16), (2, 7, 16))
    """

    width: int
    depth: int
    heads: int
    mlp_ratio: float = 4.0
    causal: bool = False
    positions: str = "convolution"
    kernel: int = 128
    groups: int = 16
    drop_path: float = 0.0
    remat: str = "none"
    scan: bool = False
    attention: str | None = None
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self,
        frames: jax.Array,
        *,
        real: jax.Array | None = None,
        masked: jax.Array | None = None,
        keys: jax.Array | None = None,
        last: int = 0,
    ) -> Features:
        """Encodes frames.

        Args:
          frames: (B, N, C).
          real: (B, N) bool, False for padding: what comes out in its place means nothing, and nothing else depends on it.
          masked: (B, N) bool: a learned vector takes the place of these frames.
          keys: (B,) PRNG keys, one per example, for drop path; None for evaluation.
          last: how many blocks' outputs to return as layers, counted from the end; static.

        Returns:
          Features: pooled (B, width), the mean of the real frames; tokens (B, N, width) after the final norm; and layers
          (last, B, N, width) before it.

        Raises:
          ValueError: attributes that make no sense.
        """
        if self.positions not in ("convolution", "rotary"):
            raise ValueError(f"positions={self.positions!r}: use convolution or rotary")
        if self.causal and self.positions == "convolution":
            raise ValueError("convolutional positions see later frames; a causal network needs positions='rotary'")
        x = dense(self.width, "project", self.dtype, self.param_dtype)(frames.astype(self.dtype))
        if masked is not None:
            token = self.param("mask_token", nn.initializers.uniform(1.0), (self.width,), self.param_dtype)
            x = jnp.where(masked[..., None], token.astype(self.dtype)[None, None], x)
        places = None
        if self.positions == "rotary":
            places = jnp.arange(x.shape[1], dtype=jnp.int32)[None]
        else:
            x = x if real is None else jnp.where(real[..., None], x, jnp.zeros_like(x))
            x = x + ConvolutionalPositions(
                self.kernel, self.groups, dtype=self.dtype, param_dtype=self.param_dtype, name="pos_conv"
            )(x)
        x, layers = Transformer(
            depth=self.depth,
            heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            causal=self.causal,
            drop_path=self.drop_path,
            remat=self.remat,
            scan=self.scan,
            attention=self.attention,
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            name="encoder",
        )(x, mask=real, places=places, keys=keys, last=last)
        x = layer_norm(x, name="norm", dtype=self.dtype, param_dtype=self.param_dtype)
        return Features(mean_tokens(x, real), x, layers)
