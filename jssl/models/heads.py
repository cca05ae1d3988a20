"""Projection and prediction heads."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl.collectives import AxisName
from jssl.models.activations import gelu
from jssl.models.flat_dot import flat_dot
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
      kernel_init: of every Dense.
      dtype: compute dtype.
      param_dtype: parameter dtype.

    >>> model = MLP((16, 4))
    >>> variables = model.init(jax.random.key(0), jnp.ones((2, 8)))
    >>> model.apply(variables, jnp.ones((2, 8))).shape
    (2, 4)
    """

    features: tuple[int, ...]
    batch_norm: bool = True
    final_batch_norm: bool = False
    final_affine: bool = False
    activation: Callable = nn.relu
    kernel_init: Callable = nn.initializers.lecun_normal()
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False, axis_name: AxisName = None) -> jax.Array:
        """(B, D) -> (B, features[-1]) in the compute dtype.

        Args:
          x: one vector per example.
          train: use and update batch statistics (``mutable=["batch_stats"]``); otherwise use the running ones.
          axis_name: mesh axis or axes over which batch norm takes its statistics.
        """
        x = x.astype(self.dtype)
        for i, features in enumerate(self.features, 1):
            last = i == len(self.features)
            norm = self.final_batch_norm if last else self.batch_norm
            x = nn.Dense(
                features,
                use_bias=not norm,
                kernel_init=self.kernel_init,
                dot_general=flat_dot,
                dtype=self.dtype,
                param_dtype=self.param_dtype,
                name=f"dense{i}",
            )(x)
            if norm:
                affine = not last or self.final_affine
                x = batch_norm(
                    x,
                    name=f"norm{i}",
                    train=train,
                    axis_name=axis_name,
                    dtype=self.dtype,
                    param_dtype=self.param_dtype,
                    use_scale=affine,
                    use_bias=affine,
                )
            x = x if last else self.activation(x)
        return x


class DINOHead(nn.Module):
    """MLP, L2 normalisation, then cosines with ``out_dim`` prototypes; (..., D) -> (..., out_dim).

    Caron et al., Emerging Properties in Self-Supervised Vision Transformers, arXiv:2104.14294:
    y = g * V x / (||x|| ||v||) with the columns v of ``last_layer/kernel`` and gains g. The prototypes are normalised in
    float32 and the logits come out in float32: a temperature of 0.04 magnifies their rounding 25 times. A zero row of
    either side gives a zero, not NaN.

    Attributes:
      hidden: width of the hidden layers.
      bottleneck: width of the normalised layer.
      out_dim: prototypes.
      layers: of the MLP, the bottleneck included.
      norm_last_layer: hold the gains at one; otherwise ``last_layer/gain`` learns them.
      batch_norm: normalise the hidden layers.
      dtype: compute dtype.
      param_dtype: parameter dtype.

    >>> model = DINOHead(hidden=16, bottleneck=8, out_dim=32)
    >>> y, variables = jax.jit(model.init_with_output)(jax.random.key(0), jnp.ones((2, 4)))
    >>> y.shape
    (2, 32)
    """

    hidden: int = 2048
    bottleneck: int = 256
    out_dim: int = 65536
    layers: int = 3
    norm_last_layer: bool = True
    batch_norm: bool = False
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False, axis_name: AxisName = None) -> jax.Array:
        """(B, D) -> (B, out_dim) float32 logits; ``train`` and ``axis_name``, as for ``MLP``, matter to batch norm only."""
        x = MLP(
            (self.hidden,) * (self.layers - 1) + (self.bottleneck,),
            batch_norm=self.batch_norm,
            activation=gelu,
            kernel_init=nn.initializers.truncated_normal(0.02),
            dtype=self.dtype,
            param_dtype=self.param_dtype,
            name="mlp",
        )(x, train=train, axis_name=axis_name)
        x = _normalize(x, -1).astype(self.dtype)
        return Prototypes(self.out_dim, not self.norm_last_layer, self.dtype, self.param_dtype, name="last_layer")(x)


class Prototypes(nn.Module):
    """x -> inner products with unit-length prototypes, the columns of the kernel, times a gain each.

    The kernel is normalised in every forward pass, so only its direction counts. SwAV normalises the stored weights after
    every update instead; its gradient then keeps a radial part, which that normalisation throws away.

    Attributes:
      out_dim: K prototypes.
      gain: learn a factor per prototype.
      dtype: compute dtype; normalisation and results are float32.
      param_dtype: parameter dtype.

    >>> model = Prototypes(4)
    >>> model.init_with_output(jax.random.key(0), jnp.ones((2, 3)))[0].shape
    (2, 4)
    """

    out_dim: int
    gain: bool = False
    dtype: Any = jnp.float32
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(..., D) -> (..., K) float32; x is normalised by the caller where cosines are wanted."""
        # Uniform in +-1/sqrt(width), PyTorch's default: only the direction counts, but its size sets the step.
        init = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
        kernel = self.param("kernel", init, (x.shape[-1], self.out_dim), self.param_dtype)
        directions = _normalize(kernel, 0).astype(self.dtype)
        logits = flat_dot(x.astype(self.dtype), directions, preferred_element_type=jnp.float32)
        if self.gain:
            gain = self.param("gain", nn.initializers.ones, (self.out_dim,), self.param_dtype)
            logits = logits * gain.astype(jnp.float32).reshape((1,) * (logits.ndim - 1) + (-1,))
        return logits


def _normalize(x, axis):
    """Unit length along an axis, in float32; zero stays zero, with a finite gradient."""
    x = x.astype(jnp.float32)
    return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(x * x, axis, keepdims=True), 1e-12))
