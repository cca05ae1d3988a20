"""Statistics of the features over the global batch, in float32."""

import jax
import jax.numpy as jnp

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives.similarity import inner


def center(x: jax.Array, axis_name: AxisName) -> jax.Array:
    """(B, D) minus the mean of each feature over the global batch."""
    x = x.astype(jnp.float32)
    return x - collectives.mean(jnp.mean(x, axis=0, keepdims=True), axis_name)


def cross_moment(x: jax.Array, y: jax.Array, axis_name: AxisName) -> jax.Array:
    """(B, D), (B, E) -> (D, E): mean of x_d y_e over the global batch, for centred x and y their covariance (biased).

    Devices add up D x E products and no rows are gathered: D is fixed, and the batch grows with the devices.
    """
    return collectives.mean(inner(x.T, y.T) / len(x), axis_name)
