"""Joint-embedding prediction: regress the teacher's features at the masked positions."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives.latent._smooth_l1 import smooth_l1


def jepa_loss(
    prediction: jax.Array,
    target: jax.Array,
    *,
    weights: jax.Array | None = None,
    beta: float = 1.0,
    axis_name: AxisName = None,
) -> jax.Array:
    r"""Smooth L1 distance between predicted and teacher features, per token, averaged within and then over examples.

    .. math:: \frac1B \sum_b \frac{\sum_n w_{bn}\, \frac1D \sum_d \ell_\beta(p_{bnd} - t_{bnd})}{\sum_n w_{bn}},
              \quad \ell_\beta(x) = \begin{cases} x^2 / 2\beta & |x| < \beta \\ |x| - \beta / 2 & \text{else}\end{cases}

    Targets get no gradient. The loss is a mean over examples, so accumulation over micro-batches is exact.

    Args:
      prediction: (B, ..., D) any float dtype, with any number of token axes, e.g. (B, targets, tokens, D).
      target: (B, ..., D) the teacher's features, normalised by the caller (I-JEPA: layer norm without affine).
      weights: (B, ...) weight of each token, 0 for padding; None for equal weights. An example whose weights are all
        zero adds 0 and still counts as an example.
      beta: where the square turns into the absolute value; 0 is the L1 distance.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the mean over the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty or has fewer than two axes, or beta is negative.

    >>> float(jepa_loss(jnp.zeros((2, 5, 4)), jnp.full((2, 5, 4), 3.0)))
    2.5
    >>> float(jepa_loss(jnp.zeros((1, 2, 1)), jnp.array([[[1.0], [9.0]]]), weights=jnp.array([[1.0, 0.0]])))
    0.5

    Reference: Assran et al., "Self-Supervised Learning from Images with a Joint-Embedding Predictive Architecture",
    2023. The authors' code repeats the targets for every context and averages over everything, which is the same
    when all examples have the same number of tokens.
    """
    _checks.same_shape("jepa_loss", prediction=prediction, target=target)
    if prediction.ndim < 2:
        raise ValueError(f"jepa_loss: prediction must be (batch, ..., features), got shape {prediction.shape}")
    _checks.not_empty("jepa_loss", prediction=prediction)
    if beta < 0:
        raise ValueError(f"jepa_loss: beta must not be negative, got {beta}")
    if weights is not None and weights.shape != prediction.shape[:-1]:
        raise ValueError(f"jepa_loss: weights have shape {weights.shape} but prediction has shape {prediction.shape}")
    distance = prediction.astype(jnp.float32) - lax.stop_gradient(target).astype(jnp.float32)
    tokens = jnp.mean(smooth_l1(distance, beta), axis=-1).reshape(len(prediction), -1)
    if weights is None:
        examples = jnp.mean(tokens, axis=1)
    else:
        weights = weights.astype(jnp.float32).reshape(tokens.shape)
        total = jnp.sum(weights, axis=1)
        examples = jnp.sum(tokens * weights, axis=1) / jnp.where(total > 0, total, 1.0)
    return collectives.mean(jnp.mean(examples), axis_name)
