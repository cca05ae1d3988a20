"""Masked autoencoding: reconstruct the patches that the encoder did not see."""

import jax
import jax.numpy as jnp

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks


def mae_loss(
    prediction: jax.Array,
    target: jax.Array,
    mask: jax.Array,
    *,
    normalize_targets: bool,
    epsilon: float = 1e-6,
    axis_name: AxisName = None,
) -> jax.Array:
    r"""Mean squared error per patch, averaged over the masked patches.

    .. math:: \frac{\sum_{bn} m_{bn} \frac1P \lVert \hat x_{bn} - x_{bn} \rVert^2}{\sum_{bn} m_{bn}}

    Targets are pixels, that is data, so nothing is stopped: pass ``lax.stop_gradient(target)`` should they come from a
    network. When all examples have the same number of masked patches the loss is a mean over examples, and
    accumulation over micro-batches is exact.

    Args:
      prediction: (B, N, P) any float dtype.
      target: (B, N, P) patches as made by `patchify`.
      mask: (B, N) 1 where the patch was removed and counts, 0 where it was visible.
      normalize_targets: standardise each target patch by its own mean and (unbiased) variance.
      epsilon: added to that variance.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the mean over the masked patches of the global batch; 0 when none is masked.

    Raises:
      ValueError: shapes disagree or an array is empty.

    >>> prediction, target = jnp.zeros((1, 2, 3)), jnp.full((1, 2, 3), 2.0)
    >>> float(mae_loss(prediction, target, jnp.array([[1, 0]]), normalize_targets=False))
    4.0

    Reference: He et al., "Masked Autoencoders Are Scalable Vision Learners", 2022. The value is that of the authors'
    code.
    """
    _checks.rank("mae_loss", 3, "(batch, patches, values)", prediction=prediction, target=target)
    _checks.same_shape("mae_loss", prediction=prediction, target=target)
    if mask.shape != target.shape[:2]:
        raise ValueError(f"mae_loss: mask (B, N) has shape {mask.shape} but target (B, N, P) has shape {target.shape}")
    prediction, target, mask = (x.astype(jnp.float32) for x in (prediction, target, mask))
    if normalize_targets:
        target = target - jnp.mean(target, axis=-1, keepdims=True)
        variance = jnp.sum(jnp.square(target), axis=-1, keepdims=True) / max(target.shape[-1] - 1, 1)
        target = target * jax.lax.rsqrt(variance + epsilon)
    errors = jnp.mean(jnp.square(prediction - target), axis=-1)
    # Sums are reduced apart because devices may hold different numbers of masked patches.
    total = collectives.sum(jnp.sum(errors * mask), axis_name)
    count = collectives.sum(jnp.sum(mask), axis_name)
    return total / jnp.where(count > 0, count, 1.0)
