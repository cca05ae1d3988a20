"""Cross-entropy with class labels or with soft targets: supervised training and pretext tasks."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks


def cross_entropy_loss(
    logits: jax.Array,
    labels: jax.Array,
    *,
    label_smoothing: float = 0.0,
    weights: jax.Array | None = None,
    axis_name: AxisName = None,
) -> jax.Array:
    r"""Softmax cross-entropy with integer labels, averaged over all positions.

    .. math:: \frac{\sum_i w_i \ell_i}{\sum_i w_i}, \quad
              \ell_i = -\sum_k \left[(1 - s)\,[k = y_i] + \frac{s}{K}\right] \log \mathrm{softmax}(z_i)_k

    with s the label smoothing. A label outside 0..K-1 makes the loss NaN, so that it cannot go unnoticed, unless its
    weight is 0: positions to be ignored may hold any label. Without weights the loss is a mean over examples and
    accumulation over micro-batches is exact; with weights it is exact when their sums agree between micro-batches.

    Args:
      logits: (..., K) any float dtype, with any number of batch and position axes.
      labels: (...) integers in 0..K-1.
      label_smoothing: in [0, 1], the share of the target that is spread evenly over all K classes.
      weights: (...) weight of each position, not negative, 0 to ignore it; None for equal weights. No gradient.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the weighted mean over the global batch; 0 when all weights are 0.

    Raises:
      ValueError: shapes disagree, logits are empty, labels are not integers, or label_smoothing is outside [0, 1].

    >>> logits = jnp.array([[9.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> round(float(cross_entropy_loss(logits, jnp.array([0, 2]), weights=jnp.array([0.0, 1.0]))), 4)  # log(3)
    1.0986

    Reference for label smoothing: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016
    (arXiv:1512.00567).
    """
    _check("cross_entropy_loss", logits, labels=labels, weights=weights)
    _checks.integers("cross_entropy_loss", labels=labels)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy_loss: label_smoothing must be in [0, 1], got {label_smoothing}")
    log_p = jax.nn.log_softmax(logits.astype(jnp.float32), axis=-1)
    # A comparison and not a gather: it is elementwise, also backwards, and finds labels that are out of range.
    classes = lax.broadcasted_iota(jnp.int32, log_p.shape, log_p.ndim - 1)
    is_label = classes == labels.astype(jnp.int32)[..., None]
    losses = -jnp.sum(jnp.where(is_label, log_p, 0.0), axis=-1)
    if label_smoothing > 0:
        losses = (1.0 - label_smoothing) * losses - label_smoothing * jnp.mean(log_p, axis=-1)
    losses = jnp.where(jnp.any(is_label, axis=-1), losses, jnp.nan)
    return _weighted_mean(losses, weights, axis_name)


def soft_cross_entropy_loss(
    logits: jax.Array, targets: jax.Array, *, weights: jax.Array | None = None, axis_name: AxisName = None
) -> jax.Array:
    r"""Softmax cross-entropy with a target distribution per position, averaged over all positions.

    .. math:: \frac{-1}{\sum_i w_i} \sum_i w_i \sum_k t_{ik} \log \mathrm{softmax}(z_i)_k

    Targets get no gradient. Accumulation over micro-batches is exact as for `cross_entropy_loss`.

    Args:
      logits: (..., K) any float dtype, with any number of batch and position axes.
      targets: (..., K) probabilities over the last axis, used as they are.
      weights: (...) weight of each position, not negative, 0 to ignore it; None for equal weights. No gradient.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the weighted mean over the global batch; 0 when all weights are 0.

    Raises:
      ValueError: shapes disagree or logits are empty.

    >>> loss = soft_cross_entropy_loss(jnp.array([[0.0, 3.0]]), jnp.array([[0.5, 0.5]]))
    >>> round(float(loss), 4)  # log(1 + e^3) - 1.5
    1.5486

    Reference for a use with weights: Zhang et al., "Colorful Image Colorization", 2016 (arXiv:1603.08511), which
    writes the weighted sum over positions and not their mean.
    """
    _checks.same_shape("soft_cross_entropy_loss", logits=logits, targets=targets)
    _check("soft_cross_entropy_loss", logits, weights=weights)
    log_p = jax.nn.log_softmax(logits.astype(jnp.float32), axis=-1)
    losses = -jnp.sum(lax.stop_gradient(targets).astype(jnp.float32) * log_p, axis=-1)
    return _weighted_mean(losses, weights, axis_name)


def _check(function, logits, **positions):
    _checks.are_arrays(function, logits=logits)
    if logits.ndim < 2:
        raise ValueError(f"{function}: logits must be (batch, ..., classes), got shape {logits.shape}")
    for name, array in positions.items():
        if array is not None and array.shape != logits.shape[:-1]:
            raise ValueError(f"{function}: {name} have shape {array.shape} but logits have shape {logits.shape}")
    _checks.not_empty(function, logits=logits)


def _weighted_mean(losses, weights, axis_name):
    if weights is None:
        return collectives.mean(jnp.mean(losses), axis_name)
    weights = lax.stop_gradient(weights).astype(jnp.float32)
    # Selected and not multiplied: what is ignored may be NaN.
    total = jnp.sum(jnp.where(weights == 0, 0.0, weights * losses))
    # Sums are reduced apart because devices may hold different total weights.
    total, count = collectives.sum((total, jnp.sum(weights)), axis_name)
    return total / jnp.where(count > 0, count, 1.0)
