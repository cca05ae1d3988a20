import math

import jax
import jax.numpy as jnp
import numpy as np
import spread

from jssl.models.activations import gelu

X = np.linspace(-6.0, 6.0, 64, dtype=np.float32)


def test_values_and_derivative_of_the_definition():
    cdf = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in X.astype(np.float64)])
    density = np.exp(-0.5 * X.astype(np.float64) ** 2) / math.sqrt(2 * math.pi)
    value, slope = jax.jit(lambda x: jax.jvp(gelu, (x,), (jnp.ones_like(x),)))(X)
    np.testing.assert_allclose(value, X * cdf, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(slope, cdf + X * density, rtol=1e-5, atol=1e-6)


def test_bfloat16_stays_bfloat16():
    x = jnp.asarray(X, jnp.bfloat16)
    grad = jax.grad(lambda x: jnp.sum(gelu(x).astype(jnp.float32)))(x)
    assert gelu(x).dtype == grad.dtype == jnp.bfloat16
    assert np.isfinite(np.asarray(grad, np.float32)).all()


def test_gradient_inside_shard_map():
    def grad(x, axis_name):
        del axis_name
        return (jax.grad(lambda x: jnp.sum(gelu(x)))(x),)

    (spread_grad,) = spread.on_devices(grad, 8, (), (X,), (True,))
    np.testing.assert_array_equal(spread_grad, jax.jit(lambda x: grad(x, None)[0])(X))
