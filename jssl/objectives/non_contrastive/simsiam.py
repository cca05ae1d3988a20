"""SimSiam: predict the stopped projection of the other view, without a teacher."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives.similarity import l2_normalize


def simsiam_loss(prediction: jax.Array, target: jax.Array, *, axis_name: AxisName = None) -> jax.Array:
    r"""Negative cosine similarity between the prediction and the target, in one direction.

    .. math:: -\frac1B \sum_i \frac{p_i}{\lVert p_i \rVert} \cdot \frac{t_i}{\lVert t_i \rVert}

    Targets get no gradient, though they come from the same network: without the stop it collapses. The loss is a mean
    over examples, so accumulation over micro-batches is exact.

    Args:
      prediction: (B, D) the predictor output for one view, any float dtype; L2-normalised inside.
      target: (B, D) the projection of the other view; L2-normalised inside.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the mean over the global batch, between -1 and 1.

    Raises:
      ValueError: shapes disagree or an array is empty.

    >>> float(simsiam_loss(jnp.array([[2.0, 0.0]]), jnp.array([[3.0, 0.0]])))
    -1.0

    Reference: Chen and He, "Exploring Simple Siamese Representation Learning", 2021 (arXiv:2011.10566). The authors'
    code takes the mean of the two directions: ``0.5 * (simsiam_loss(p1, z2) + simsiam_loss(p2, z1))``.
    """
    _checks.rank("simsiam_loss", 2, "(batch, features)", prediction=prediction, target=target)
    _checks.same_shape("simsiam_loss", prediction=prediction, target=target)
    cosine = jnp.sum(l2_normalize(prediction) * l2_normalize(lax.stop_gradient(target)), axis=1)
    return -collectives.mean(jnp.mean(cosine), axis_name)
