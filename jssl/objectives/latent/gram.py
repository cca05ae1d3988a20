"""Gram anchoring: patches of a picture are as alike to the student as they are to another network."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives.similarity import l2_normalize


def gram_loss(student: jax.Array, target: jax.Array, *, axis_name: AxisName = None) -> jax.Array:
    r"""Mean squared difference between the cosine similarities of a picture's patches, the student's and the target's.

    .. math:: \frac{1}{B N^2} \sum_b \left\lVert \hat S_b \hat S_b^\top - \hat T_b \hat T_b^\top \right\rVert_F^2

    with the rows of :math:`\hat S_b, \hat T_b` of unit length. Features may turn as they please as long as their
    similarities stay. Targets get no gradient. The loss is a mean over examples, so accumulation over micro-batches is exact.

    Args:
      student: (B, N, D) patch features, any float dtype; L2-normalised inside.
      target: (B, N, D) those of the network that is held on to, of the same patches; L2-normalised inside.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the mean over the global batch, between 0 and 4.

    Raises:
      ValueError: shapes disagree, are not (B, N, D), or an array is empty.

    >>> apart, alike = jnp.eye(2)[None], jnp.ones((1, 2, 2))
    >>> float(gram_loss(apart, apart[:, ::-1])), round(float(gram_loss(apart, alike)), 4)
    (0.0, 0.5)

    Reference: Simeoni et al., "DINOv3", 2025 (arXiv:2508.10104). The paper writes the sum over pairs of patches; the authors'
    code takes their mean, as here, and can set negative similarities to zero, which its recipes leave off.
    """
    _checks.rank("gram_loss", 3, "(batch, patches, features)", student=student, target=target)
    _checks.same_shape("gram_loss", student=student, target=target)
    difference = _gram(student) - _gram(lax.stop_gradient(target))
    return collectives.mean(jnp.mean(jnp.square(difference)), axis_name)


def _gram(features):
    """(B, N, D) -> (B, N, N) cosines."""
    x = l2_normalize(features)
    return jnp.einsum("bnd,bmd->bnm", x, x, precision=lax.Precision.HIGHEST, preferred_element_type=jnp.float32)
