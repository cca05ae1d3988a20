"""Which column of a (b, B) matrix of local rows against the global batch belongs to each row."""

import jax
import jax.numpy as jnp

from jssl import collectives
from jssl.collectives import AxisName


def is_own(logits: jax.Array, axis_name: AxisName) -> jax.Array:
    """(b, B) true where the column is the row's own example."""
    own = collectives.index(axis_name) * len(logits) + jnp.arange(len(logits))
    return own[:, None] == jnp.arange(logits.shape[1])[None, :]


def cross_entropy(logits: jax.Array, axis_name: AxisName) -> jax.Array:
    """(b,) losses of picking each row's own example among all columns."""
    positive = jnp.sum(jnp.where(is_own(logits, axis_name), logits, 0.0), axis=1)
    return jax.nn.logsumexp(logits, axis=1) - positive
