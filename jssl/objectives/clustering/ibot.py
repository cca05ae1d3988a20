"""iBOT: the student predicts the teacher's distribution of the patches that it did not see."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks


def ibot_loss(
    student: jax.Array,
    targets: jax.Array,
    mask: jax.Array,
    *,
    student_temperature: float | jax.Array,
    axis_name: AxisName = None,
) -> jax.Array:
    r"""Cross-entropy at the masked patches, averaged within and then over images.

    .. math:: \frac{-1}{B} \sum_b \frac{1}{\max(\sum_n m_{bn}, 1)} \sum_n m_{bn}\,
              q_{bn} \cdot \log \mathrm{softmax}(z_{bn} / \tau)

    Targets come from `softmax_center`, or from ``sinkhorn(rows, mask=...)`` over the masked patches of all images; they
    get no gradient. An image without masked patches adds 0 and still counts as an image. The loss is a mean over
    examples, so accumulation over micro-batches is exact for given targets.

    Args:
      student: (B, N, K) logits of the patches of the masked image, any float dtype.
      targets: (B, N, K) the teacher's probabilities for the whole image; only those of masked patches count.
      mask: (B, N) 1 or true where the student's patch was masked, of any dtype. See `jssl.views.block_mask`.
      student_temperature: above 0.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the mean over the images of the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, or the temperature is not above 0.

    >>> student, targets = jnp.zeros((2, 9, 4)), jnp.full((2, 9, 4), 0.25)
    >>> mask = jnp.zeros((2, 9)).at[0, :3].set(1.0)
    >>> round(float(ibot_loss(student, targets, mask, student_temperature=0.1)), 4)  # log(4) / 2
    0.6931

    References: Zhou et al., "iBOT: Image BERT Pre-Training with Online Tokenizer", 2022 (arXiv:2111.07832); Oquab et
    al., "DINOv2: Learning Robust Visual Features without Supervision", 2023 (arXiv:2304.07193). The value is that of
    the authors' code.
    """
    _checks.rank("ibot_loss", 3, "(batch, patches, prototypes)", student=student, targets=targets)
    _checks.same_shape("ibot_loss", student=student, targets=targets)
    if mask.shape != student.shape[:2]:
        raise ValueError(f"ibot_loss: mask (B, N) has shape {mask.shape} but student (B, N, K) has {student.shape}")
    _checks.positive("ibot_loss", student_temperature=student_temperature)
    log_p = jax.nn.log_softmax(student.astype(jnp.float32) / student_temperature, axis=-1)
    losses = -jnp.sum(lax.stop_gradient(targets).astype(jnp.float32) * log_p, axis=-1)
    mask = mask.astype(jnp.float32)
    images = jnp.sum(mask * losses, axis=1) / jnp.maximum(jnp.sum(mask, axis=1), 1.0)
    return collectives.mean(jnp.mean(images), axis_name)
