"""KoLeo: spread features out by pushing each one away from its nearest neighbour."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.similarity import inner, l2_normalize

_EPSILON = 1e-8


@any_mesh
def koleo_loss(features: jax.Array, *, axis_name: AxisName = None) -> jax.Array:
    r"""Kozachenko-Leonenko estimate of the negative entropy of features on the sphere, up to a constant.

    .. math:: \frac{-1}{B} \sum_i \log \min_{j \ne i} \lVert x_i - x_j \rVert

    Neighbours are searched in the global batch, and gradients flow into both ends of each pair. The loss couples
    examples: micro-batches have farther neighbours, so accumulation over them is a different loss.

    Args:
      features: (B, D) any float dtype; L2-normalised inside, in float32.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the mean over the global batch; finite where features coincide.

    Raises:
      ValueError: features are not (B, D), are empty, or the global batch is a single example.

    >>> round(float(jax.jit(koleo_loss)(jnp.eye(4))), 4)  # -log(sqrt(2))
    -0.3466

    References: Sablayrolles et al., "Spreading Vectors for Similarity Search", 2019 (arXiv:1806.03198); Oquab et al.,
    "DINOv2: Learning Robust Visual Features without Supervision", 2023 (arXiv:2304.07193). The authors' code, whose
    value this is on one device, searches in the batch of each device.
    """
    _checks.rank("koleo_loss", 2, "(batch, features)", features=features)
    features = l2_normalize(features)
    everyone = collectives.gather(features, axis_name)
    if len(everyone) == 1:
        raise ValueError(f"koleo_loss: one example has no neighbour, features have shape {features.shape}")
    own = collectives.index(axis_name) * len(features) + jnp.arange(len(features))
    is_own = own[:, None] == jnp.arange(len(everyone))[None, :]
    similarities = lax.stop_gradient(inner(features, everyone))
    nearest = everyone[jnp.argmax(jnp.where(is_own, -jnp.inf, similarities), axis=1)]
    # The small number inside the norm keeps its gradient finite where a feature equals its neighbour.
    distances = jnp.linalg.norm(features - nearest + _EPSILON, axis=1)
    return collectives.mean(-jnp.mean(jnp.log(distances + _EPSILON)), axis_name)
