"""The exact GELU, differentiable inside shard_map on every supported jax."""

import jax
import jax.numpy as jnp


@jax.custom_jvp
def gelu(x: jax.Array) -> jax.Array:
    """x Phi(x), with Phi the normal distribution function; any float dtype, any shape.

    The same values as ``jax.nn.gelu(x, approximate=False)``. Its derivative, Phi(x) + x phi(x), is written out because
    jax 0.12.0 cannot differentiate ``erf`` and ``erfc`` of float32 inside ``shard_map(check_vma=True)``: the series that
    it evaluates there mixes varying and unvarying values.

    Hendrycks and Gimpel, arXiv:1606.08415.

    >>> float(gelu(jnp.array(0.0)))
    0.0
    """
    return jax.nn.gelu(x, approximate=False)


@gelu.defjvp
def _gelu_jvp(primals, tangents):
    (x,), (tangent,) = primals, tangents
    wide = x if x.dtype == jnp.float64 else x.astype(jnp.float32)
    below = 0.5 * jax.lax.erfc(-wide * 0.5**0.5)
    density = jnp.exp(-0.5 * wide * wide) * (0.5 / jnp.pi) ** 0.5
    return gelu(x), tangent * (below + wide * density).astype(x.dtype)
