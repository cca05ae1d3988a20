"""Sinkhorn-Knopp: soft assignment of a batch to prototypes that are all used equally."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks


def sinkhorn(
    scores: jax.Array, *, epsilon: float | jax.Array, num_iterations: int, axis_name: AxisName = None
) -> jax.Array:
    r"""Assignment codes: rows sum to one, and columns have about the same total over the global batch.

    .. math:: Q = \mathrm{diag}(u)\, e^{S / \epsilon}\, \mathrm{diag}(v)

    where each iteration first makes the totals of the K prototypes equal and then those of the B examples. It works
    on logarithms, so scores of any size neither overflow nor leave a row of zeros. Codes get no gradient.

    Args:
      scores: (B, K) any float dtype.
      epsilon: above 0; smaller is closer to a hard assignment.
      num_iterations: at least 1.
      axis_name: mapped axes that the batch is split over.

    Returns:
      (B, K) float32 codes of this device's examples, balanced over the global batch.

    Raises:
      ValueError: scores are not (B, K) or are empty, epsilon is not above 0, or num_iterations is below 1.

    >>> codes = sinkhorn(jnp.array([[1.0, 0.0], [1.0, 0.0]]), epsilon=0.1, num_iterations=3)
    >>> codes.round(3).tolist()
    [[0.5, 0.5], [0.5, 0.5]]

    Reference: Caron et al., "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments", 2020. The
    authors' code does the same without logarithms.
    """
    _checks.rank("sinkhorn", 2, "(batch, prototypes)", scores=scores)
    _checks.positive("sinkhorn", epsilon=epsilon, num_iterations=num_iterations)
    log_kernel = lax.stop_gradient(scores).astype(jnp.float32) / epsilon
    log_examples = jnp.zeros_like(log_kernel, shape=(len(log_kernel), 1))
    for _ in range(num_iterations):
        # Both scales are taken from the kernel anew each time, so that rounding does not pile up.
        log_prototypes = _global_logsumexp(log_kernel - log_examples, axis_name)
        log_examples = jax.nn.logsumexp(log_kernel - log_prototypes, axis=1, keepdims=True)
    return jnp.exp(log_kernel - log_prototypes - log_examples)


def _global_logsumexp(x, axis_name):
    """(b, K) -> (1, K): log of the sum of exponentials over the global batch."""
    highest = collectives.max(jnp.max(x, axis=0, keepdims=True), axis_name)
    return jnp.log(collectives.sum(jnp.sum(jnp.exp(x - highest), axis=0, keepdims=True), axis_name)) + highest
