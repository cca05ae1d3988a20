"""Residual networks, NHWC, with batch norm over the global batch."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl.collectives import AxisName
from jssl.models.features import Features, mean_tokens
from jssl.models.norms import batch_norm

SIZES: dict[str, dict[str, Any]] = {
    "resnet18": {"stage_sizes": (2, 2, 2, 2), "block": "basic"},
    "resnet34": {"stage_sizes": (3, 4, 6, 3), "block": "basic"},
    "resnet50": {"stage_sizes": (3, 4, 6, 3), "block": "bottleneck"},
}
EXPANSION = {"basic": 1, "bottleneck": 4}


class Block(nn.Module):
    """A basic (3x3, 3x3) or bottleneck (1x1, 3x3, 1x1) residual block; the stride sits on the first 3x3."""

    kind: str
    width: int
    stride: int
    zero_init_residual: bool
    dtype: Any
    param_dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False, axis_name: AxisName = None) -> jax.Array:
        conv = functools.partial(_conv, dtype=self.dtype, param_dtype=self.param_dtype)
        norm = functools.partial(
            batch_norm, train=train, axis_name=axis_name, dtype=self.dtype, param_dtype=self.param_dtype
        )
        out = self.width * EXPANSION[self.kind]
        layers: tuple[tuple[int, int, int], ...]
        if self.kind == "basic":
            layers = ((self.width, 3, self.stride), (out, 3, 1))
        else:
            layers = ((self.width, 1, 1), (self.width, 3, self.stride), (out, 1, 1))
        # A block that starts as the identity trains more easily (Goyal et al., arXiv:1706.02677).
        last_scale = nn.initializers.zeros if self.zero_init_residual else nn.initializers.ones

        y = x
        for i, (features, kernel, stride) in enumerate(layers, 1):
            last = i == len(layers)
            y = conv(y, features, kernel, stride, name=f"conv{i}")
            y = norm(y, name=f"norm{i}", scale_init=last_scale if last else nn.initializers.ones)
            y = y if last else nn.relu(y)
        if x.shape != y.shape:
            x = norm(conv(x, out, 1, self.stride, name="shortcut_conv"), name="shortcut_norm")
        return nn.relu(x + y)


class ResNet(nn.Module):
    """ResNet encoder: images to one vector each and the map that it is the mean of, without a classifier.

    He et al., arXiv:1512.03385, with torchvision's layout: the stride of a bottleneck on its 3x3 convolution, symmetric
    padding. Convolutions start He-normal over fan-out. Parameter names: ``stem_conv``, ``stem_norm``,
    ``stage{s}_block{b}/conv{i}``.

    Attributes:
      stage_sizes: blocks per stage; each stage after the first halves the resolution and doubles the width.
      block: ``"basic"`` or ``"bottleneck"``.
      width: channels of the first stage.
      stem: ``"imagenet"`` (7x7 stride 2, max pool) or ``"cifar"`` (3x3, no pool).
      zero_init_residual: start every block as the identity.
      dtype: compute dtype; batch statistics are float32 always.
      param_dtype: parameter dtype.

    >>> model = ResNet(stage_sizes=(1,), width=8, stem="cifar")
    >>> images = jnp.zeros((2, 8, 8, 3))
    >>> variables = jax.jit(model.init)(jax.random.key(0), images)
    >>> features = model.apply(variables, images)
    >>> features.pooled.shape, features.tokens.shape
    ((2, 8), (2, 64, 8))
    """

    stage_sizes: tuple[int, ...]
    block: str = "basic"
    width: int = 64
    stem: str = "imagenet"
    zero_init_residual: bool = True
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, images: jax.Array, *, pyramid: bool = False, train: bool = False, axis_name: AxisName = None
    ) -> Features:
        """Encodes images.

        Args:
          images: (B, H, W, C) float, any number of channels.
          pyramid: give the maps of all stages, too.
          train: use and update batch statistics (``mutable=["batch_stats"]``); otherwise use the running ones.
          axis_name: mesh axis or axes over which batch norm takes its statistics; None for this device's batch.

        Returns:
          Features in the compute dtype: pooled (B, D) and tokens (B, h * w, D), the last map in raster order.

        Raises:
          ValueError: an unknown block or stem.
        """
        if self.block not in EXPANSION:
            raise ValueError(f"no block {self.block!r}: use {' or '.join(EXPANSION)}")
        if self.stem not in ("imagenet", "cifar"):
            raise ValueError(f"no stem {self.stem!r}: use imagenet or cifar")
        common = {"dtype": self.dtype, "param_dtype": self.param_dtype}

        kernel, stride = (7, 2) if self.stem == "imagenet" else (3, 1)
        x = images.astype(self.dtype)
        x = _conv(x, self.width, kernel, stride, name="stem_conv", **common)
        x = nn.relu(batch_norm(x, name="stem_norm", train=train, axis_name=axis_name, **common))
        if self.stem == "imagenet":
            x = nn.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        maps = []
        for s, blocks in enumerate(self.stage_sizes):
            for b in range(blocks):
                x = Block(
                    kind=self.block,
                    width=self.width * 2**s,
                    stride=2 if s and not b else 1,
                    zero_init_residual=self.zero_init_residual,
                    name=f"stage{s + 1}_block{b}",
                    **common,
                )(x, train=train, axis_name=axis_name)
            maps.append(x)
        tokens = x.reshape(x.shape[0], -1, x.shape[-1])
        return Features(mean_tokens(tokens), tokens, pyramid=tuple(maps) if pyramid else None)


def make(name: str, **overrides) -> ResNet:
    """Returns ``resnet18``, ``resnet34`` or ``resnet50``; ``overrides`` are attributes of ResNet."""
    if name not in SIZES:
        raise ValueError(f"no ResNet {name!r}: use {', '.join(SIZES)}")
    return ResNet(**(SIZES[name] | overrides))


def _conv(x, features: int, kernel: int, stride: int, *, name: str, dtype, param_dtype):
    """A convolution without bias, since batch norm follows; symmetric padding, unlike SAME with stride 2."""
    return nn.Conv(
        features,
        (kernel, kernel),
        (stride, stride),
        padding=[(kernel // 2, kernel // 2)] * 2,
        use_bias=False,
        kernel_init=nn.initializers.variance_scaling(2.0, "fan_out", "normal"),
        dtype=dtype,
        param_dtype=param_dtype,
        name=name,
    )(x)
