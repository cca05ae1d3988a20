"""DINOv2: every student crop predicts the teacher's distribution for every global crop that is given."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks


def dinov2_loss(
    student: jax.Array, targets: jax.Array, *, student_temperature: float | jax.Array, axis_name: AxisName = None
) -> jax.Array:
    r"""Cross-entropy between the teacher's probabilities and the student, over all pairs of crops.

    .. math:: \frac{-1}{S T B} \sum_{s, t} \sum_b q_{tb} \cdot \log \mathrm{softmax}(z_{sb} / \tau)

    Unlike `dino_loss`, it pairs everything it is given. Where student and teacher crops are the same pictures, call it
    with the local crops and all targets, and with the global crops and the targets in another order. Targets come from
    `softmax_center`, or from `sinkhorn` over the rows of all teacher crops together; they get no gradient. The loss is
    a mean over examples, so accumulation over micro-batches is exact for given targets.

    Args:
      student: (S, B, K) logits, any float dtype.
      targets: (T, B, K) probabilities.
      student_temperature: above 0.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the mean over pairs and the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, or the temperature is not above 0.

    >>> student, targets = jnp.zeros((8, 2, 4)), jnp.full((2, 2, 4), 0.25)
    >>> round(float(dinov2_loss(student, targets, student_temperature=0.1)), 4)  # log(4)
    1.3863

    Reference: Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", 2023 (arXiv:2304.07193). The
    function of the authors' code sums over pairs, that is it returns S T times this value.
    """
    _checks.rank("dinov2_loss", 3, "(crops, batch, prototypes)", student=student, targets=targets)
    if student.shape[1:] != targets.shape[1:]:
        raise ValueError(
            f"dinov2_loss: student (S, B, K) has shape {student.shape} but targets (T, B, K) have shape "
            f"{targets.shape}; B and K must agree"
        )
    _checks.positive("dinov2_loss", student_temperature=student_temperature)
    log_p = jax.nn.log_softmax(student.astype(jnp.float32) / student_temperature, axis=-1)
    targets = lax.stop_gradient(targets).astype(jnp.float32)
    # A sum over all pairs of products is the product of the sums.
    losses = -jnp.sum(jnp.mean(targets, axis=0) * jnp.mean(log_p, axis=0), axis=-1)
    return collectives.mean(jnp.mean(losses), axis_name)
