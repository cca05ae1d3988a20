"""BYOL: predict the teacher's projection of the other view."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives.similarity import l2_normalize


def byol_loss(prediction: jax.Array, target: jax.Array, *, axis_name: AxisName = None) -> jax.Array:
    r"""Squared distance between the normalised prediction and the normalised target, in one direction.

    .. math:: \frac1B \sum_i \left\lVert \frac{p_i}{\lVert p_i \rVert} - \frac{t_i}{\lVert t_i \rVert} \right\rVert^2
              = \frac1B \sum_i (2 - 2 \cos(p_i, t_i))

    Targets get no gradient. The loss is a mean over examples, so accumulation over micro-batches is exact.

    Args:
      prediction: (B, D) the student's predictor output for one view, any float dtype; L2-normalised inside.
      target: (B, D) the teacher's projection of the other view; L2-normalised inside.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the mean over the global batch, between 0 and 4.

    Raises:
      ValueError: shapes disagree or an array is empty.

    >>> float(byol_loss(jnp.array([[2.0, 0.0]]), jnp.array([[0.0, 3.0]])))
    2.0

    Reference: Grill et al., "Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning", 2020
    (arXiv:2006.07733). The authors' code adds the two directions: ``byol_loss(p1, z2) + byol_loss(p2, z1)``.
    """
    _checks.rank("byol_loss", 2, "(batch, features)", prediction=prediction, target=target)
    _checks.same_shape("byol_loss", prediction=prediction, target=target)
    difference = l2_normalize(prediction) - l2_normalize(lax.stop_gradient(target))
    return collectives.mean(jnp.mean(jnp.sum(jnp.square(difference), axis=1)), axis_name)
