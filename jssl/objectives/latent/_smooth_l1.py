"""The smooth L1 distance of the losses that regress a teacher's features."""

import jax
import jax.numpy as jnp


def smooth_l1(distance: jax.Array, beta: float) -> jax.Array:
    """x^2 / (2 beta) where |x| < beta, and |x| - beta / 2 elsewhere; the absolute value for beta 0."""
    size = jnp.abs(distance)
    if beta == 0:
        return size
    return jnp.where(size < beta, 0.5 / beta * jnp.square(distance), size - 0.5 * beta)
