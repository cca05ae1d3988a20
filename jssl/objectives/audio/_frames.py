"""Means over the real frames of a batch."""

import jax
import jax.numpy as jnp

from jssl import collectives
from jssl.collectives import AxisName


def same_frames(function: str, of: dict[str, jax.Array], weights: jax.Array) -> None:
    """Raises ValueError naming both shapes unless weights are (B, N) for the one array (B, N, ...) of ``of``."""
    ((name, array),) = of.items()
    if weights.shape != array.shape[:2]:
        raise ValueError(
            f"{function}: weights (B, N) have shape {weights.shape} but {name} (B, N, ...) has shape {array.shape}"
        )


def weighted_mean(values: jax.Array, weights: jax.Array, axis_name: AxisName) -> jax.Array:
    """Of (B, ...) values with weights of the same shape, over the global batch; 0 where all weights are."""
    # Sums are reduced apart because devices may hold different weights.
    total, count = collectives.sum((jnp.sum(values * weights), jnp.sum(weights)), axis_name)
    return total / jnp.where(count > 0, count, 1.0)
