"""Normalisation layers with float32 statistics, whatever the compute dtype."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jssl.collectives import AxisName


def batch_norm(
    x: jax.Array,
    *,
    name: str,
    train: bool,
    axis_name: AxisName = None,
    dtype=jnp.float32,
    param_dtype=jnp.float32,
    use_scale: bool = True,
    use_bias: bool = True,
    scale_init=nn.initializers.ones,
) -> jax.Array:
    """Batch norm over every axis but the last and over the devices of ``axis_name``; call it inside a compact method.

    Statistics are those of the global batch, so the result does not depend on how many devices share it, and the
    running averages (collection ``batch_stats``, momentum 0.9) are the same on every device. The running variance is
    the biased one; PyTorch's is unbiased, which is a factor n / (n - 1) on n values per channel.

    Args:
      x: (..., C).
      name: of the submodule.
      train: use this batch's statistics and update the running ones; otherwise use the running ones.
      axis_name: mesh axis or axes the batch is split over.
      dtype: of the result.
      param_dtype: of scale and bias.
      use_scale: learn a scale.
      use_bias: learn a bias.
      scale_init: of the scale.
    """
    layer = nn.BatchNorm(
        use_running_average=not train,
        momentum=0.9,
        epsilon=1e-5,
        axis_name=axis_name,  # type: ignore[arg-type]  # a tuple of names does as well
        dtype=jnp.float32,
        param_dtype=param_dtype,
        use_scale=use_scale,
        use_bias=use_bias,
        scale_init=scale_init,
        name=name,
    )
    return layer(x.astype(jnp.float32)).astype(dtype)


def layer_norm(x: jax.Array, *, name: str, dtype=jnp.float32, param_dtype=jnp.float32) -> jax.Array:
    """Layer norm over the last axis, epsilon 1e-6; call it inside a compact method."""
    return make_layer_norm(name=name, dtype=dtype, param_dtype=param_dtype)(x)


def make_layer_norm(*, name: str, dtype=jnp.float32, param_dtype=jnp.float32) -> Callable[[jax.Array], jax.Array]:
    """A function that is ``layer_norm`` with the same parameters at every call; make it inside a compact method."""
    # The two-pass variance: tokens with a large mean lose most digits in E[x^2] - E[x]^2.
    layer = nn.LayerNorm(epsilon=1e-6, dtype=jnp.float32, param_dtype=param_dtype, use_fast_variance=False, name=name)
    return lambda x: layer(x.astype(jnp.float32)).astype(dtype)
