"""Autoregressive predictive coding: say what the frame a few steps ahead will be."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives.audio._frames import same_frames, weighted_mean


def apc_loss(
    prediction: jax.Array, frames: jax.Array, weights: jax.Array, *, steps_ahead: int, axis_name: AxisName = None
) -> jax.Array:
    r"""L1 distance between what is predicted at time t and the frame n steps later, per value.

    .. math:: \frac{\sum_{bt} w_{b,t+n} \frac1D \lVert y_{bt} - x_{b,t+n} \rVert_1}{\sum_{bt} w_{b,t+n}}

    The frames are data, so nothing is stopped. The last n predictions have no frame to be compared with.

    Args:
      prediction: (B, T, D) made at time t from the frames up to t, any float dtype.
      frames: (B, T, D) the input, e.g. a log-mel spectrogram.
      weights: (B, T) weight of each frame as a target, 0 for padding. No gradient.
      steps_ahead: n, at least 1 and less than T; 3 in the paper.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the weighted mean over the global batch; 0 when the weights from n on are 0.

    Raises:
      ValueError: shapes disagree, an array is empty, or there is no frame so many steps ahead.

    >>> frames = jnp.arange(5.0).reshape(1, 5, 1)
    >>> float(apc_loss(frames, frames, jnp.ones((1, 5)), steps_ahead=2))  # as if all stayed as it is
    2.0
    >>> float(apc_loss(frames + 2, frames, jnp.ones((1, 5)), steps_ahead=2))
    0.0

    Reference: Chung et al., "An Unsupervised Autoregressive Model for Speech Representation Learning", 2019
    (arXiv:1904.03240). The authors' code averages over padding as well.
    """
    _checks.same_shape("apc_loss", prediction=prediction, frames=frames)
    _checks.rank("apc_loss", 3, "(batch, frames, features)", prediction=prediction)
    same_frames("apc_loss", {"prediction": prediction}, weights)
    count = prediction.shape[1]
    if not 1 <= steps_ahead < count:
        raise ValueError(f"apc_loss: steps_ahead={steps_ahead} of {count} frames: use 1 to {count - 1}")
    errors = prediction[:, :-steps_ahead].astype(jnp.float32) - frames[:, steps_ahead:].astype(jnp.float32)
    weights = lax.stop_gradient(weights).astype(jnp.float32)[:, steps_ahead:]
    return weighted_mean(jnp.mean(jnp.abs(errors), axis=-1), weights, axis_name)
