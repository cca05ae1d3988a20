"""VICReg: views agree, every feature varies, and no two features say the same."""

import jax
import jax.numpy as jnp

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.non_contrastive import _statistics

EPSILON = 1e-4  # keeps the gradient of the square root finite


@any_mesh
def vicreg_loss(
    view_a: jax.Array,
    view_b: jax.Array,
    *,
    invariance: float | jax.Array = 25.0,
    variance: float | jax.Array = 25.0,
    covariance: float | jax.Array = 1.0,
    axis_name: AxisName = None,
) -> jax.Array:
    r"""Weighted sum of an invariance, a variance and a covariance term.

    .. math:: \frac{\lambda}{BD} \sum_{id} (a_{id} - b_{id})^2 + \frac{\mu}{2} [v(a) + v(b)] + \nu [c(a) + c(b)]
    .. math:: v(x) = \frac1D \sum_d \max(0, 1 - \sqrt{C_{dd} + 10^{-4}}), \quad
              c(x) = \frac1D \sum_{d \ne e} C_{de}^2, \quad C = \mathrm{cov}(x)

    with the unbiased covariance over the global batch. The loss couples examples through it, so accumulation over
    micro-batches is a different loss.

    Args:
      view_a: (B, D) expander outputs, any float dtype.
      view_b: (B, D) row i is the other view of example i.
      invariance: the paper's lambda.
      variance: the paper's mu.
      covariance: the paper's nu.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, for the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, or the global batch has a single example.

    >>> x = jnp.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(float(vicreg_loss(x, x)), 4), round(float(vicreg_loss(x, 0.0 * x)), 4)
    (0.0, 37.375)

    Reference: Bardes et al., "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised Learning",
    2022 (arXiv:2105.04906). The value is that of the authors' code. The paper does not halve the variance term and
    sums the invariance term over features where the code takes their mean.
    """
    _checks.rank("vicreg_loss", 2, "(batch, features)", view_a=view_a, view_b=view_b)
    _checks.same_shape("vicreg_loss", view_a=view_a, view_b=view_b)
    _checks.at_least_two("vicreg_loss", len(view_a) * collectives.size(axis_name))
    view_a, view_b = view_a.astype(jnp.float32), view_b.astype(jnp.float32)
    distance = collectives.mean(jnp.mean(jnp.square(view_a - view_b)), axis_name)
    (hinge_a, overlap_a), (hinge_b, overlap_b) = (_spread(view, axis_name) for view in (view_a, view_b))
    return invariance * distance + variance * 0.5 * (hinge_a + hinge_b) + covariance * (overlap_a + overlap_b)


def _spread(view, axis_name):
    """The variance and covariance terms of one view."""
    examples, features = len(view) * collectives.size(axis_name), view.shape[1]
    centered = _statistics.center(view, axis_name)
    matrix = _statistics.cross_moment(centered, centered, axis_name) * (examples / (examples - 1))
    hinge = jnp.mean(jax.nn.relu(1.0 - jnp.sqrt(jnp.diagonal(matrix) + EPSILON)))
    off_diagonal = jnp.where(jnp.eye(features, dtype=bool), 0.0, matrix)
    return hinge, jnp.sum(jnp.square(off_diagonal)) / features
