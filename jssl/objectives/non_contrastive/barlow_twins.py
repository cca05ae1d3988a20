"""Barlow Twins: the features of two views correlate one to one, and with nothing else."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.non_contrastive import _statistics

EPSILON = 1e-5  # that of the batch norm (without scale and offset) in the authors' code


@any_mesh
def barlow_twins_loss(
    view_a: jax.Array, view_b: jax.Array, *, off_diagonal_weight: float | jax.Array = 0.0051, axis_name: AxisName = None
) -> jax.Array:
    r"""Squared distance of the cross-correlation matrix of two views from the identity.

    .. math:: \sum_d (1 - C_{dd})^2 + \lambda \sum_{d \ne e} C_{de}^2,
              \quad C_{de} = \frac1B \sum_i \hat a_{id} \hat b_{ie}

    with :math:`\hat a, \hat b` the views standardised per feature over the global batch (biased variance + 1e-5). The
    loss couples examples through these statistics, so accumulation over micro-batches is a different loss.

    Args:
      view_a: (B, D) projector outputs, any float dtype.
      view_b: (B, D) row i is the other view of example i.
      off_diagonal_weight: the paper's lambda.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, for the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, or the global batch has a single example.

    >>> x = jnp.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(float(barlow_twins_loss(x, x)), 3), round(float(barlow_twins_loss(x, -x)), 3)
    (0.0, 8.0)

    Reference: Zbontar et al., "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", 2021
    (arXiv:2103.03230). The value is that of the authors' code.
    """
    _checks.rank("barlow_twins_loss", 2, "(batch, features)", view_a=view_a, view_b=view_b)
    _checks.same_shape("barlow_twins_loss", view_a=view_a, view_b=view_b)
    _checks.at_least_two("barlow_twins_loss", len(view_a) * collectives.size(axis_name))
    correlation = _statistics.cross_moment(_standardize(view_a, axis_name), _standardize(view_b, axis_name), axis_name)
    diagonal = jnp.eye(len(correlation), dtype=bool)
    return jnp.sum(jnp.where(diagonal, jnp.square(1.0 - correlation), off_diagonal_weight * jnp.square(correlation)))


def _standardize(view, axis_name):
    centered = _statistics.center(view, axis_name)
    variance = collectives.mean(jnp.mean(jnp.square(centered), axis=0, keepdims=True), axis_name)
    return centered * lax.rsqrt(variance + EPSILON)
