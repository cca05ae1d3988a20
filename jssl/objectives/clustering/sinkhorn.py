"""Sinkhorn-Knopp: soft assignment of a batch to prototypes that are all used equally."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks

_NOTHING = -1e30  # a logarithm of zero that is finite, so that no difference of two is NaN


def sinkhorn(
    scores: jax.Array,
    *,
    epsilon: float | jax.Array,
    num_iterations: int,
    queue: jax.Array | None = None,
    mask: jax.Array | None = None,
    axis_name: AxisName = None,
) -> jax.Array:
    r"""Assignment codes: rows sum to one, and columns have about the same total over the global batch.

    .. math:: Q = \mathrm{diag}(u)\, e^{S / \epsilon}\, \mathrm{diag}(v)

    where each iteration first makes the totals of the K prototypes equal and then those of the B examples. It works
    on logarithms, so scores of any size neither overflow nor leave a row of zeros. Codes get no gradient.

    Args:
      scores: (B, K) any float dtype.
      epsilon: above 0; smaller is closer to a hard assignment. This is the teacher's temperature of DINOv2 and iBOT.
      num_iterations: at least 1.
      queue: (Q, K) scores of earlier examples, the same on every device, that are balanced together with the batch: it
        may then be smaller than K (SwAV). While the queue is not full yet, call with and without it and choose by
        ``jnp.where``.
      mask: (B,) true where a row takes part, such as the masked patches of iBOT; None if all do. It says nothing
        about the queue.
      axis_name: mapped axes that the batch is split over.

    Returns:
      (B, K) float32 codes of this device's examples, balanced over the global batch and the queue; zero where the
      mask is false.

    Raises:
      ValueError: scores or queue are not two-dimensional or are empty, shapes disagree, epsilon is not above 0, or
        num_iterations is below 1.

    >>> scores = jnp.array([[1.0, 0.0], [1.0, 0.0]])
    >>> sinkhorn(scores, epsilon=0.1, num_iterations=1).round(3).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    >>> sinkhorn(scores, queue=scores[:, ::-1], epsilon=0.1, num_iterations=1).round(3).tolist()
    [[1.0, 0.0], [1.0, 0.0]]

    Reference: Caron et al., "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments", 2020. The
    authors' code, and that of DINOv2, does the same without logarithms, with the rows of the queue split over devices.
    """
    _checks.rank("sinkhorn", 2, "(batch, prototypes)", scores=scores)
    _checks.positive("sinkhorn", epsilon=epsilon, num_iterations=num_iterations)
    if queue is not None:
        _checks.rank("sinkhorn", 2, "(queue length, prototypes)", queue=queue)
        _checks.last_axis("sinkhorn", scores=scores, queue=queue)
    if mask is not None and mask.shape != scores.shape[:1]:
        raise ValueError(f"sinkhorn: mask (B,) has shape {mask.shape} but scores (B, K) have shape {scores.shape}")

    def masked(x, fill):
        return x if mask is None else jnp.where(mask.astype(bool)[:, None], x, fill)

    log_kernel = lax.stop_gradient(scores).astype(jnp.float32) / epsilon
    log_examples = jnp.zeros_like(log_kernel, shape=(len(log_kernel), 1))
    if queue is not None:
        queue_kernel = lax.stop_gradient(queue).astype(jnp.float32) / epsilon
        log_queue = jnp.zeros_like(queue_kernel, shape=(len(queue_kernel), 1))
    for _ in range(num_iterations):
        # The scales are taken from the kernel anew each time, so that rounding does not pile up.
        log_prototypes = _global_logsumexp(masked(log_kernel - log_examples, _NOTHING), axis_name)
        if queue is not None:  # every device holds the same rows: they are added once, after the sum over devices
            in_queue = jax.nn.logsumexp(queue_kernel - log_queue, axis=0, keepdims=True)
            log_prototypes = jnp.logaddexp(log_prototypes, in_queue)
            log_queue = jax.nn.logsumexp(queue_kernel - log_prototypes, axis=1, keepdims=True)
        log_examples = jax.nn.logsumexp(log_kernel - log_prototypes, axis=1, keepdims=True)
    return masked(jnp.exp(log_kernel - log_prototypes - log_examples), 0.0)


def _global_logsumexp(x, axis_name):
    """(b, K) -> (1, K): log of the sum of exponentials over the global batch."""
    highest = collectives.max(jnp.max(x, axis=0, keepdims=True), axis_name)
    return jnp.log(collectives.sum(jnp.sum(jnp.exp(x - highest), axis=0, keepdims=True), axis_name)) + highest
