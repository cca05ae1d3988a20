"""SwAV: every crop predicts the cluster assignment of another crop."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives.clustering import _crops


def swav_loss(
    scores: jax.Array, codes: jax.Array, *, temperature: float | jax.Array, axis_name: AxisName = None
) -> jax.Array:
    r"""Cross-entropy between the codes of some crops and the predictions of all other crops.

    .. math:: \frac{-1}{T (S - 1) B} \sum_{t} \sum_{s \ne t} \sum_b q_{tb} \cdot \log \mathrm{softmax}(z_{sb} / \tau)

    The first T crops are the ones that codes exist for. Codes get no gradient. The loss is a mean over examples, so
    accumulation over micro-batches is exact for given codes; codes from `sinkhorn` couple the examples that were
    balanced together.

    Args:
      scores: (S, B, K) inner products of normalised embeddings and normalised prototypes, for every crop, the crops
        with codes first; any float dtype.
      codes: (T, B, K) assignments, T <= S: ``jax.vmap`` of `sinkhorn` over the first T crops of the scores.
      temperature: above 0.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the mean over pairs and the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, no pair of different crops exists, or the temperature is not
        above 0.

    >>> scores = jnp.zeros((3, 2, 4))
    >>> from jssl.objectives import sinkhorn
    >>> assign = jax.jit(jax.vmap(lambda crop: sinkhorn(crop, epsilon=0.05, num_iterations=3)))
    >>> codes = assign(scores[:2])
    >>> round(float(swav_loss(scores, codes, temperature=0.1)), 4)  # log(4)
    1.3863

    Reference: Caron et al., "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments", 2020
    (arXiv:2006.09882). The value is that of the authors' code, which stacks crops in the batch axis.
    """
    _crops.check("swav_loss", scores=scores, codes=codes)
    _checks.positive("swav_loss", temperature=temperature)
    log_p = jax.nn.log_softmax(scores.astype(jnp.float32) / temperature, axis=-1)
    return collectives.mean(_crops.cross_entropy(log_p, lax.stop_gradient(codes).astype(jnp.float32)), axis_name)
