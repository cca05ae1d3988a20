"""Optical flow as people look at it."""

import jax
import jax.numpy as jnp

from jssl.views.images.lab import lab_to_rgb

__all__ = ["flow_to_rgb"]


def flow_to_rgb(flow: jax.Array, *, longest: jax.Array | float | None = None) -> jax.Array:
    """Flow as colours of one lightness: grey is rest, the hue is the direction, and the more colour the faster.

    Args:
      flow: (..., H, W, 2) float, pixels to the right and down.
      longest: pixels, the flow of the strongest colour; what is faster has no more. None takes the fastest pixel of each.

    Returns:
      (..., H, W, 3) float32 in [0, 1].

    >>> (100 * flow_to_rgb(jnp.zeros((1, 1, 2)))).round().tolist()  # at rest
    [[[62.0, 62.0, 62.0]]]
    """
    flow = jnp.asarray(flow, jnp.float32)
    speed = jnp.sqrt(jnp.sum(flow**2, -1, keepdims=True))
    longest = jnp.max(speed, (-3, -2), keepdims=True) if longest is None else jnp.asarray(longest, jnp.float32)
    direction = 60 * flow / jnp.maximum(jnp.maximum(speed, longest), 1e-6)
    return lab_to_rgb(jnp.concatenate([jnp.full_like(speed, 65.0), direction], -1)).clip(0, 1)
