"""Alignment and uniformity on the sphere: positives near each other, all examples spread out."""

import jax
import jax.numpy as jnp

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.similarity import inner, l2_normalize


def alignment(view_a: jax.Array, view_b: jax.Array, *, alpha: float = 2.0, axis_name: AxisName = None) -> jax.Array:
    r"""Mean of :math:`\lVert a_i - b_i \rVert^\alpha` over positive pairs; lower is better.

    Args:
      view_a: (B, D) L2-normalised, any float dtype.
      view_b: (B, D) those of the other views.
      alpha: exponent.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the mean over the global batch.

    Raises:
      ValueError: shapes disagree or an array is empty.

    >>> float(alignment(jnp.eye(2), -jnp.eye(2)))
    4.0

    Reference: see ``align_uniform_loss``.
    """
    _checks.rank("alignment", 2, "(batch, features)", view_a=view_a, view_b=view_b)
    _checks.same_shape("alignment", view_a=view_a, view_b=view_b)
    squares = jnp.sum(jnp.square(view_a.astype(jnp.float32) - view_b.astype(jnp.float32)), -1)
    return collectives.mean(jnp.mean(squares ** (alpha / 2)), axis_name)


@any_mesh
def uniformity(features: jax.Array, *, t: float = 2.0, axis_name: AxisName = None) -> jax.Array:
    r"""Log of the mean of :math:`\exp(-t \lVert x_i - x_j \rVert^2)` over the pairs of the global batch.

    Lower is better; 0 is a point. Micro-batches have fewer pairs, so accumulation over them is a different loss.

    Args:
      features: (B, D) L2-normalised, any float dtype.
      t: sharpness.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar.

    Raises:
      ValueError: features are not (B, D), are empty, or the global batch is a single example.

    >>> float(uniformity(jnp.ones((3, 2))))
    0.0

    Reference: see ``align_uniform_loss``.
    """
    _checks.rank("uniformity", 2, "(batch, features)", features=features)
    examples = len(features) * collectives.size(axis_name)
    _checks.at_least_two("uniformity", examples)
    features = jnp.asarray(features, jnp.float32)
    everyone = collectives.gather(features, axis_name)
    lengths = jnp.sum(jnp.square(features), -1)[:, None] + jnp.sum(jnp.square(everyone), -1)[None, :]
    exponents = -t * jnp.maximum(lengths - 2.0 * inner(features, everyone), 0.0)
    own = collectives.index(axis_name) * len(features) + jnp.arange(len(features))
    exponents = jnp.where(own[:, None] == jnp.arange(examples)[None, :], -jnp.inf, exponents)
    # Distant pairs underflow in float32; the log of their sum must not.
    largest = collectives.max(jnp.max(exponents), axis_name)
    total = collectives.sum(jnp.sum(jnp.exp(exponents - largest)), axis_name)
    return largest + jnp.log(total) - jnp.log(jnp.float32(examples * (examples - 1)))


@any_mesh
def align_uniform_loss(
    view_a: jax.Array,
    view_b: jax.Array,
    *,
    alpha: float = 2.0,
    t: float = 2.0,
    align_weight: float = 1.0,
    uniform_weight: float = 1.0,
    axis_name: AxisName = None,
) -> jax.Array:
    """``align_weight`` x alignment + ``uniform_weight`` x the mean uniformity of the two views.

    Args:
      view_a: (B, D) any float dtype; L2-normalised inside, in float32, as the last layer of the authors' encoder does.
      view_b: (B, D) row i is the other view of example i.
      alpha: exponent of the alignment.
      t: sharpness of the uniformity.
      align_weight: of the alignment.
      uniform_weight: of the uniformity.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, for the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, or the global batch is a single example.

    >>> round(float(align_uniform_loss(jnp.eye(4), jnp.eye(4))), 4)  # the other corners are at distance sqrt(2)
    -4.0

    Reference: Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity on the
    Hypersphere", 2020 (arXiv:2005.10242). The value is that of the authors' code, which has the views of one device.
    """
    _checks.rank("align_uniform_loss", 2, "(batch, features)", view_a=view_a, view_b=view_b)
    _checks.same_shape("align_uniform_loss", view_a=view_a, view_b=view_b)
    view_a, view_b = l2_normalize(view_a), l2_normalize(view_b)
    spread = (uniformity(view_a, t=t, axis_name=axis_name) + uniformity(view_b, t=t, axis_name=axis_name)) / 2
    return align_weight * alignment(view_a, view_b, alpha=alpha, axis_name=axis_name) + uniform_weight * spread
