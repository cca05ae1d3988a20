"""Contrastive predictive coding: tell the frame that comes k steps later from frames of elsewhere."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.audio._frames import weighted_mean


@any_mesh
def cpc_loss(
    predictions: jax.Array, targets: jax.Array, negatives: jax.Array, weights: jax.Array, *, axis_name: AxisName = None
) -> jax.Array:
    r"""InfoNCE over K future steps, with negatives that all steps share.

    .. math:: \frac{\sum_{bkt} w_{b,t+k}\, \ell_{bkt}}{\sum_{bkt} w_{b,t+k}}, \quad
              \ell_{bkt} = -\log \frac{e^{p_{bkt} \cdot z_{b,t+k} / D}}
              {e^{p_{bkt} \cdot z_{b,t+k} / D} + \sum_n e^{p_{bkt} \cdot \tilde z_{btn} / D}}, \quad k = 1 \dots K

    Args:
      predictions: (B, K, W, D) made at time t of the frame at t + k: index 0 of the second axis is k = 1. Any float dtype.
      targets: (B, W + K, D) the frames z. They get a gradient: both sides are learnt.
      negatives: (B, W, N, D) frames that the prediction at time t is to reject, from other utterances or the same one.
        They get a gradient, too.
      weights: (B, W + K) weight of each frame as a target, 0 for padding. No gradient.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the weighted mean over the global batch and the K steps; 0 when all weights are 0.

    Raises:
      ValueError: shapes disagree, or an array is empty.

    >>> frames = 4.0 * jnp.eye(4)[None, :3]  # two steps to predict from, one step ahead; the negative is none of them
    >>> apart = jnp.broadcast_to(4.0 * jnp.eye(4)[3], (1, 2, 1, 4))
    >>> round(float(cpc_loss(frames[:, None, 1:], frames, apart, jnp.ones((1, 3)))), 4)  # log(1 + e^-4)
    0.0181

    Reference: van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018
    (arXiv:1807.03748), with the scores of Riviere et al., "Unsupervised Pretraining Transfers Well Across Languages",
    2020, whose code takes the mean over D where the paper has a product, and sums over the K steps: K times this.
    """
    _checks.rank("cpc_loss", 4, "(batch, steps ahead, times, features)", predictions=predictions)
    _checks.rank("cpc_loss", 3, "(batch, frames, features)", targets=targets)
    _checks.rank("cpc_loss", 4, "(batch, times, negatives, features)", negatives=negatives)
    batch, ahead, times, width = predictions.shape
    wanted = {
        "targets": (targets, (batch, times + ahead, width)),
        "negatives": (negatives, (batch, times, negatives.shape[2], width)),
        "weights": (weights, (batch, times + ahead)),
    }
    for name, (array, shape) in wanted.items():
        if array.shape != shape:
            raise ValueError(
                f"cpc_loss: predictions (B, K, W, D) of shape {predictions.shape} go with {name} of shape {shape}, "
                f"got {array.shape}"
            )

    def shifted(x):
        """(B, W + K, ...) -> (B, K, W, ...): what is k steps later."""
        return jnp.stack([x[:, k : k + times] for k in range(1, ahead + 1)], axis=1)

    def scores(pattern, other):
        return (
            jnp.einsum(
                pattern,
                predictions.astype(jnp.float32),
                other.astype(jnp.float32),
                precision=lax.Precision.HIGHEST,
                preferred_element_type=jnp.float32,
            )
            / width
        )

    positive = jnp.mean(predictions.astype(jnp.float32) * shifted(targets).astype(jnp.float32), axis=-1)[..., None]
    others = scores("bkwd,bwnd->bkwn", negatives)
    losses = -jax.nn.log_softmax(jnp.concatenate([positive, others], axis=-1), axis=-1)[..., 0]
    return weighted_mean(losses, shifted(lax.stop_gradient(weights).astype(jnp.float32)), axis_name)
