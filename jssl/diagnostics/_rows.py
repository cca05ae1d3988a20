"""What every measure takes."""

import jax
import jax.numpy as jnp
import numpy as np


def check(features) -> None:
    """ValueError unless the features are (N, D), N > 1."""
    shape = np.shape(features)
    if len(shape) != 2 or shape[0] < 2:
        raise ValueError(f"collapse is measured on (N, D) features with N > 1, not {shape}")


def rows_of(features) -> jax.Array:
    """(N, D) features, N > 1, as float32."""
    check(features)
    return jnp.asarray(features).astype(jnp.float32)
