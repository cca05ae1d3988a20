"""Spectral contrastive loss: views agree, and different examples are orthogonal."""

import jax
import jax.numpy as jnp

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.similarity import inner, l2_normalize


@any_mesh
def spectral_contrastive_loss(
    view_a: jax.Array, view_b: jax.Array, *, mu: float = 1.0, axis_name: AxisName = None
) -> jax.Array:
    r"""Inner products of the two views of an example are raised, squares of those between examples lowered.

    .. math:: \frac1\mu \left[ -\frac2B \sum_i a_i b_i + \frac{1}{B (B - 1)} \sum_{i \ne j} (a_i b_j)^2 \right]

    with rows longer than :math:`\sqrt\mu` scaled back to that length first; shorter ones stay as they are. Negatives
    are global. The loss couples examples, so accumulation over micro-batches (fewer negatives) is a different loss.

    Args:
      view_a: (B, D) any float dtype.
      view_b: (B, D) row i is the other view of example i.
      mu: above 0, the largest squared length of a row.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, for the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, the global batch has a single example, or mu is not above 0.

    >>> float(spectral_contrastive_loss(jnp.eye(4), 5.0 * jnp.eye(4)))
    -2.0
    >>> float(spectral_contrastive_loss(jnp.ones((4, 1)), jnp.ones((4, 1))))
    -1.0

    Reference: HaoChen et al., "Provable Guarantees for Self-Supervised Deep Learning with Spectral Contrastive Loss",
    2021 (arXiv:2106.04156), where the loss is the bracket of rows that are not clipped. The value is that of the
    authors' code.
    """
    _checks.rank("spectral_contrastive_loss", 2, "(batch, features)", view_a=view_a, view_b=view_b)
    _checks.same_shape("spectral_contrastive_loss", view_a=view_a, view_b=view_b)
    _checks.positive("spectral_contrastive_loss", mu=mu)
    batch, examples = len(view_a), len(view_a) * collectives.size(axis_name)
    _checks.at_least_two("spectral_contrastive_loss", examples)
    # Normalising with the floor mu divides long rows by their length and short ones by sqrt(mu): the clipped rows
    # over sqrt(mu). Both terms below are written for these.
    view_a, view_b = l2_normalize(view_a, epsilon=mu), l2_normalize(view_b, epsilon=mu)
    products = inner(view_a, collectives.gather(view_b, axis_name))
    own = collectives.index(axis_name) * batch + jnp.arange(batch)
    is_own = own[:, None] == jnp.arange(examples)[None, :]
    positives = jnp.sum(jnp.where(is_own, products, 0.0)) / batch
    negatives = jnp.sum(jnp.where(is_own, 0.0, jnp.square(products))) / (batch * (examples - 1))
    return collectives.mean(mu * negatives - 2.0 * positives, axis_name)
