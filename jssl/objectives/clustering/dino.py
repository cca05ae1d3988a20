"""DINO: the student predicts the centred, sharpened output distribution of the teacher across crops."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives.clustering import _crops


def dino_loss(
    student: jax.Array,
    teacher: jax.Array,
    center: jax.Array,
    *,
    student_temperature: float | jax.Array,
    teacher_temperature: float | jax.Array,
    axis_name: AxisName = None,
) -> jax.Array:
    r"""Cross-entropy between teacher and student over all pairs of different crops.

    .. math:: \frac{-1}{|P| B} \sum_{(t, s) \in P} \sum_b
              \mathrm{softmax}((T_{tb} - c) / \tau_t) \cdot \log \mathrm{softmax}(S_{sb} / \tau_s)

    with :math:`P` the pairs of a teacher crop t and a student crop s that are not the same crop (``s != t``: the
    first T student crops are the teacher's). Teacher and centre get no gradient. The loss is a mean over examples, so
    accumulation over micro-batches is exact while the centre is held fixed.

    Args:
      student: (S, B, K) logits of every crop, the teacher's crops first; any float dtype.
      teacher: (T, B, K) logits of the global crops, T <= S.
      center: (K,) the running mean of teacher logits, before this step's `update_center`.
      student_temperature: above 0, may be traced.
      teacher_temperature: above 0, may be traced.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the mean over pairs and the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, no pair of different crops exists, or a temperature is not
        above 0.

    >>> student, teacher = jnp.zeros((3, 2, 4)), jnp.ones((2, 2, 4))
    >>> loss = dino_loss(student, teacher, jnp.zeros(4), student_temperature=0.1, teacher_temperature=0.04)
    >>> round(float(loss), 4)  # log(4)
    1.3863

    Reference: Caron et al., "Emerging Properties in Self-Supervised Vision Transformers", 2021. The value is that of
    the authors' code, which stacks crops in the batch axis.
    """
    _crops.check("dino_loss", student=student, teacher=teacher)
    if center.shape != teacher.shape[2:]:
        raise ValueError(f"dino_loss: center (K,) has shape {center.shape} but teacher has shape {teacher.shape}")
    _checks.positive("dino_loss", student_temperature=student_temperature, teacher_temperature=teacher_temperature)

    log_p = jax.nn.log_softmax(student.astype(jnp.float32) / student_temperature, axis=-1)
    targets = (softmax_center(logits, center, temperature=teacher_temperature) for logits in teacher)
    return collectives.mean(_crops.cross_entropy(log_p, targets), axis_name)


def softmax_center(teacher: jax.Array, center: jax.Array, *, temperature: float | jax.Array) -> jax.Array:
    r"""The teacher's output distribution, centred and sharpened: the targets of DINO, DINOv2 and iBOT.

    .. math:: \mathrm{softmax}((T - c) / \tau)

    Args:
      teacher: (..., K) logits of any float dtype; they get no gradient.
      center: (K,) the running mean of teacher logits, before this step's `update_center`; it gets no gradient.
      temperature: above 0, may be traced.

    Returns:
      (..., K) float32 probabilities.

    Raises:
      ValueError: the last axes disagree, teacher is empty, or the temperature is not above 0.

    >>> softmax_center(jnp.array([[5.0, 7.0]]), jnp.array([5.0, 7.0]), temperature=0.04).tolist()
    [[0.5, 0.5]]

    Reference: Caron et al., "Emerging Properties in Self-Supervised Vision Transformers", 2021.
    """
    if center.ndim != 1 or teacher.shape[-1:] != center.shape:
        raise ValueError(f"softmax_center: center (K,) has shape {center.shape} but teacher has shape {teacher.shape}")
    _checks.not_empty("softmax_center", teacher=teacher)
    _checks.positive("softmax_center", temperature=temperature)
    teacher, center = lax.stop_gradient((teacher.astype(jnp.float32), center.astype(jnp.float32)))
    center = jnp.broadcast_to(center, teacher.shape)
    return jax.nn.softmax((teacher - center) / temperature, axis=-1)


def update_center(
    center: jax.Array, teacher: jax.Array, *, momentum: float | jax.Array, axis_name: AxisName = None
) -> jax.Array:
    r"""Moving average of the teacher's logits over all crops and the global batch.

    .. math:: c \leftarrow m\, c + (1 - m)\, \mathrm{mean}(T)

    Args:
      center: (K,) the same on every device.
      teacher: (..., K) logits of this step, any float dtype; they get no gradient.
      momentum: in [0, 1].
      axis_name: mapped axes that the batch is split over.

    Returns:
      (K,) the new centre in center's dtype, the same on every device.

    Raises:
      ValueError: the last axes disagree or teacher is empty.

    >>> update_center(jnp.zeros(2), jnp.array([[1.0, 2.0], [3.0, 4.0]]), momentum=0.5).tolist()
    [1.0, 1.5]

    Reference: Caron et al., "Emerging Properties in Self-Supervised Vision Transformers", 2021.
    """
    if center.ndim != 1 or teacher.shape[-1:] != center.shape:
        raise ValueError(f"update_center: center (K,) has shape {center.shape} but teacher has shape {teacher.shape}")
    _checks.not_empty("update_center", teacher=teacher)
    old, teacher = lax.stop_gradient((center.astype(jnp.float32), teacher.astype(jnp.float32)))
    batch_mean = collectives.mean(jnp.mean(teacher, axis=tuple(range(teacher.ndim - 1))), axis_name)
    return (momentum * old + (1.0 - momentum) * batch_mean).astype(center.dtype)
