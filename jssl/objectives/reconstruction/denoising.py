"""Denoising: predict the clean input from a corrupted one."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks


def denoising_loss(
    prediction: jax.Array, target: jax.Array, *, weights: jax.Array | None = None, axis_name: AxisName = None
) -> jax.Array:
    r"""Mean squared error between the prediction and the clean input.

    .. math:: \frac{\sum_{bn} w_{bn} \frac1D \lVert \hat x_{bn} - x_{bn} \rVert^2}{\sum_{bn} w_{bn}}

    Targets are data, so nothing is stopped: pass ``lax.stop_gradient(target)`` should they come from a network. When
    the weights of every example have the same sum the loss is a mean over examples, and accumulation over
    micro-batches is exact.

    Args:
      prediction: (B, ...) any float dtype, e.g. images (B, H, W, C) or patches (B, N, P).
      target: (B, ...) of the same shape, before it was corrupted.
      weights: what each place counts, with the shape of the first axes of target, e.g. (B, H, W) or (B, N): 1 where
        corrupted and 0 elsewhere counts only these, other values give Vincent et al.'s emphasis. None for equal ones.
        No gradient.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the weighted mean over the global batch; 0 when all weights are zero.

    Raises:
      ValueError: shapes disagree, an array is empty or has only one axis.

    >>> float(denoising_loss(jnp.zeros((2, 3)), jnp.full((2, 3), 2.0)))
    4.0
    >>> float(denoising_loss(jnp.zeros((1, 2)), jnp.array([[1.0, 9.0]]), weights=jnp.array([[1, 0]])))
    1.0

    Reference: Vincent et al., "Stacked Denoising Autoencoders: Learning Useful Representations in a Deep Network with
    a Local Denoising Criterion", 2010. The squared loss there is a sum over values with the factor 1/2 of a Gaussian
    likelihood: D/2 times this one.
    """
    _checks.same_shape("denoising_loss", prediction=prediction, target=target)
    if target.ndim < 2:
        raise ValueError(f"denoising_loss: target must be (batch, ...), got shape {target.shape}")
    _checks.not_empty("denoising_loss", target=target)
    if weights is not None and (weights.ndim == 0 or weights.shape != target.shape[: weights.ndim]):
        raise ValueError(
            f"denoising_loss: weights have shape {weights.shape} but the first axes of target have {target.shape}"
        )
    errors = jnp.square(prediction.astype(jnp.float32) - target.astype(jnp.float32))
    if weights is None:
        return collectives.mean(jnp.mean(errors), axis_name)
    errors = jnp.mean(errors, axis=tuple(range(weights.ndim, errors.ndim)))
    weights = lax.stop_gradient(weights).astype(jnp.float32)
    # Sums are reduced apart because devices may hold different weights.
    total = collectives.sum(jnp.sum(errors * weights), axis_name)
    count = collectives.sum(jnp.sum(weights), axis_name)
    return total / jnp.where(count > 0, count, 1.0)
