"""Prediction of a clip's features from several contexts: regress the teacher's at the masked places of each."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks


def vjepa_loss(
    predictions: Sequence[jax.Array],
    targets: Sequence[jax.Array],
    *,
    weights: Sequence[jax.Array] | None = None,
    exponent: float = 1.0,
    variance_weight: float = 0.0,
    axis_name: AxisName = None,
) -> jax.Array:
    r"""Mean over masks of the distance between predicted and teacher features at the tokens of each.

    .. math:: \frac1M \sum_m \frac1B \sum_b \frac{1}{|\{n : w_{mbn} > 0\}|} \sum_n w_{mbn} \frac1D \sum_d
              \frac{|z_{mbnd} - h_{mbnd}|^p}{p}
              \; + \; \frac{\lambda}{BD} \sum_{bd} \Bigl(1 - \frac1M \sum_m \sqrt{\mathrm{var}_n z_{mbnd} + 10^{-4}}\Bigr)_+

    Targets get no gradient. The masks of a clip have tokens of their own number, so each is an array of its own. The loss is a
    mean over examples, so accumulation over micro-batches is exact.

    Args:
      predictions: M arrays (B, K_m, D), any float dtype.
      targets: M arrays (B, K_m, D), the teacher's features, normalised by the caller (layer norm without affine).
      weights: M arrays (B, K_m), what the error of each token counts; 0 is padding, which is not among the tokens that the sum
        is divided by. None for ones. An example that is all padding adds 0 and still counts as an example.
      exponent: p; 1 is the L1 distance.
      variance_weight: lambda, of a hinge on the deviation of predictions over tokens; 0 in the published runs.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the mean over the global batch.

    Raises:
      ValueError: numbers of arrays or shapes disagree, there is no mask, an array is empty, or exponent is below 1.

    >>> z, h = [jnp.zeros((2, 5, 4)), jnp.zeros((2, 3, 4))], [jnp.full((2, 5, 4), 1.0), jnp.full((2, 3, 4), 3.0)]
    >>> float(vjepa_loss(z, h))
    2.0
    >>> weights = [jnp.ones((2, 5)), jnp.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])]
    >>> float(vjepa_loss(z, h, weights=weights))
    1.25

    Reference: Bardes et al., "Revisiting Feature Prediction for Learning Visual Representations from Video" (V-JEPA), 2024,
    arXiv:2404.08471. The value is that of the authors' code, which cuts all examples of a batch to the same number of tokens
    where here they may be padded. With weights it is the context loss of V-JEPA 2.1, arXiv:2603.14482.
    """
    predictions, targets = tuple(predictions), tuple(targets)
    if not predictions or len(predictions) != len(targets):
        raise ValueError(
            f"vjepa_loss: {len(predictions)} predictions and {len(targets)} targets; give both for each mask, at least one"
        )
    if weights is not None and len(weights) != len(predictions):
        raise ValueError(
            f"vjepa_loss: {len(predictions)} predictions and {len(weights)} weights; give one of each per mask"
        )
    if exponent < 1:
        raise ValueError(f"vjepa_loss: exponent must be at least 1, got {exponent}")
    losses, deviations = [], []
    for number, (prediction, target) in enumerate(zip(predictions, targets)):
        _checks.rank("vjepa_loss", 3, "(batch, tokens, features)", prediction=prediction, target=target)
        _checks.same_shape("vjepa_loss", prediction=prediction, target=target)
        weight = jnp.ones_like(prediction[..., 0]) if weights is None else weights[number]
        if weight.shape != prediction.shape[:2]:
            raise ValueError(
                f"vjepa_loss: weights have shape {weight.shape} but prediction has shape {prediction.shape}"
            )
        weight = lax.stop_gradient(weight).astype(jnp.float32)
        kept = (weight > 0).astype(jnp.float32)
        count = jnp.sum(kept, axis=1)
        prediction = prediction.astype(jnp.float32)
        distance = jnp.abs(prediction - lax.stop_gradient(target).astype(jnp.float32))
        error = distance if exponent == 1 else distance**exponent / exponent
        tokens = jnp.mean(error, axis=-1)
        losses.append(jnp.sum(tokens * weight, axis=1) / jnp.maximum(count, 1.0))
        if variance_weight:
            deviations.append(_deviation(prediction, kept, count))
    loss = jnp.mean(sum(losses)) / len(losses)
    if variance_weight:
        spread = sum(deviations) / len(deviations)
        loss = loss + variance_weight * jnp.mean(jnp.maximum(1.0 - spread, 0.0))
    return collectives.mean(loss, axis_name)


def _deviation(prediction: jax.Array, kept: jax.Array, count: jax.Array) -> jax.Array:
    """(B, D): over the tokens that are kept, from the unbiased variance."""
    kept = kept[..., None]
    mean = jnp.sum(prediction * kept, axis=1) / jnp.maximum(count, 1.0)[:, None]
    squares = jnp.sum(jnp.square(prediction - mean[:, None]) * kept, axis=1)
    return jnp.sqrt(squares / jnp.maximum(count - 1.0, 1.0)[:, None] + 1e-4)
