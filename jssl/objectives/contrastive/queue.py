"""The first-in-first-out queue of negatives of MoCo."""

import jax
import jax.numpy as jnp

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.similarity import l2_normalize


@any_mesh
def enqueue(
    queue: jax.Array, pointer: jax.Array, keys: jax.Array, *, axis_name: AxisName = None
) -> tuple[jax.Array, jax.Array]:
    """Overwrites the oldest rows of a queue with the L2-normalised keys of the global batch.

    Use the queue for the loss first, then update it, so that a key is never its own query's negative.

    Args:
      queue: (K, D) the same on every device.
      pointer: int scalar, the row to write next.
      keys: (B, D) any float dtype; L2-normalised inside. They get no gradient.
      axis_name: mapped axes that the batch is split over.

    Returns:
      The queue and the pointer after the update, in their own dtypes and the same on every device.

    Raises:
      ValueError: the feature axes disagree, keys are empty, or the global batch is longer than the queue.

    >>> queue, pointer = enqueue(jnp.zeros((3, 1)), jnp.int32(2), jnp.array([[5.0], [-7.0]]))
    >>> queue.ravel().tolist(), int(pointer)
    ([-1.0, 0.0, 1.0], 1)

    Reference: He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", 2020. The authors' code
    stores (D, K) and asks that B divides K; here the rows wrap round.
    """
    _checks.rank("enqueue", 2, "(rows, features)", queue=queue, keys=keys)
    _checks.last_axis("enqueue", queue=queue, keys=keys)
    keys = collectives.replicate(l2_normalize(jax.lax.stop_gradient(keys)), axis_name)
    if len(keys) > len(queue):
        raise ValueError(f"enqueue: a global batch of {len(keys)} keys does not fit a queue of {len(queue)} rows")
    pointer = jnp.asarray(pointer)
    rows = (pointer + jnp.arange(len(keys), dtype=pointer.dtype)) % len(queue)
    return jnp.asarray(queue).at[rows].set(keys.astype(queue.dtype)), (pointer + len(keys)) % len(queue)
