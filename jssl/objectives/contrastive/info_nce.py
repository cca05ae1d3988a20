"""InfoNCE: with the other examples of the batch, or a queue, as negatives."""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.contrastive import _in_batch, _streaming
from jssl.objectives.similarity import inner, l2_normalize


@any_mesh
def info_nce(
    queries: jax.Array,
    keys: jax.Array,
    *,
    temperature: float | jax.Array,
    negatives: jax.Array | None = None,
    axis_name: AxisName = None,
    exchange: str = "gather",
    block_size: int | None = None,
) -> jax.Array:
    r"""Cross-entropy of picking each query's key among negatives.

    .. math:: -\frac1B \sum_i \log \frac{e^{q_i k_i / \tau}}{e^{q_i k_i / \tau} + \sum_{n \in N_i} e^{q_i n / \tau}}

    Without `negatives`, :math:`N_i` are the keys of all other examples of the global batch, and gradients flow into
    queries and keys (pass ``lax.stop_gradient(keys)``, or a teacher's output, if the keys are to be fixed). With
    `negatives` (MoCo), :math:`N_i` is the same queue for every query; keys and queue get no gradient.

    The loss couples examples: micro-batches see fewer in-batch negatives, so accumulation over them is a different
    loss. With `negatives` it is a plain mean over examples and accumulation is exact while the queue is held fixed.

    Args:
      queries: (B, D) any float dtype; L2-normalised inside, in float32.
      keys: (B, D) row i is the positive of query i; L2-normalised inside.
      temperature: above 0.
      negatives: (K, D) queue, the same on every device; L2-normalised inside. See `enqueue`.
      axis_name: mapped axes that the batch is split over.
      exchange: ``"gather"`` the features of all devices on each, or pass them on in a ``"ring"``: see `nt_xent`.
      block_size: rows compared at a time; None chooses.

    Returns:
      float32 scalar, the mean over the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, or the temperature is not above 0.

    >>> x = jnp.eye(4)
    >>> round(float(info_nce(x, x, temperature=1.0)), 4)  # log(e + 3) - 1
    0.7437
    >>> round(float(info_nce(x, x, negatives=-x[:1], temperature=1.0)), 4)
    0.2667

    References: van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018; He et al.,
    "Momentum Contrast for Unsupervised Visual Representation Learning", 2020. The authors' MoCo stores the queue as
    (D, K), which is (K, D) here; the value is the same.
    """
    _checks.rank("info_nce", 2, "(batch, features)", queries=queries, keys=keys)
    _checks.same_shape("info_nce", queries=queries, keys=keys)
    _checks.positive("info_nce", temperature=temperature)
    queries, keys = l2_normalize(queries), l2_normalize(keys)
    rows = queries / temperature
    if negatives is None:
        return _in_batch.pick_own(
            rows, keys, function="info_nce", exchange=exchange, block_size=block_size, axis_name=axis_name
        )
    _checks.rank("info_nce", 2, "(queue length, features)", negatives=negatives)
    _checks.last_axis("info_nce", queries=queries, negatives=negatives)
    keys, negatives = lax.stop_gradient((keys, l2_normalize(negatives)))
    positive = jnp.sum(rows * keys, axis=1)
    return _streaming.mean_over_rows(
        _with_queue,
        _finish_queue,
        ((rows, positive), ()),
        (negatives, ()),
        function="info_nce",
        exchange=None,  # the queue is the same on every device
        block_size=block_size,
        axis_name=axis_name,
    )


def _with_queue(rows, negatives, scalars, row_marks, column_marks):
    queries, positive = rows
    return _streaming.Sums((jax.nn.logsumexp(inner(queries, negatives), axis=1),), (positive,))


def _finish_queue(sums):
    # log(e^p + e^n) - p, in the form that does not cancel when p is much larger than n.
    return jax.nn.softplus(sums.logs[0] - sums.plain[0])


@any_mesh
def moco_v3_loss(
    query_a: jax.Array,
    query_b: jax.Array,
    key_a: jax.Array,
    key_b: jax.Array,
    *,
    temperature: float | jax.Array,
    axis_name: AxisName = None,
    exchange: str = "gather",
    block_size: int | None = None,
) -> jax.Array:
    r"""Symmetric in-batch InfoNCE against a momentum encoder, as in Algorithm 1 of MoCo v3.

    .. math:: 2\tau\,[\mathrm{InfoNCE}(q_a, k_b) + \mathrm{InfoNCE}(q_b, k_a)]

    The factor and the sum over the two directions are the paper's, and its learning rates count on them. Keys get no
    gradient. The loss couples examples, so accumulation over micro-batches is a different loss.

    Args:
      query_a: (B, D) predictor output for view a, any float dtype; L2-normalised inside, like the others.
      query_b: (B, D) predictor output for view b.
      key_a: (B, D) momentum encoder's output for view a.
      key_b: (B, D) momentum encoder's output for view b.
      temperature: above 0.
      axis_name: mapped axes that the batch is split over.
      exchange: ``"gather"`` the features of all devices on each, or pass them on in a ``"ring"``: see `nt_xent`.
      block_size: rows compared at a time; None chooses.

    Returns:
      float32 scalar, for the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, or the temperature is not above 0.

    >>> x = jnp.eye(4)
    >>> round(float(moco_v3_loss(x, x, x, x, temperature=1.0)), 4)
    2.9747

    Reference: Chen et al., "An Empirical Study of Training Self-Supervised Vision Transformers", 2021. The value is
    that of the authors' code.
    """
    _checks.rank("moco_v3_loss", 2, "(batch, features)", query_a=query_a, query_b=query_b, key_a=key_a, key_b=key_b)
    _checks.same_shape("moco_v3_loss", query_a=query_a, query_b=query_b, key_a=key_a, key_b=key_b)
    _checks.positive("moco_v3_loss", temperature=temperature)
    key_a, key_b = lax.stop_gradient((key_a, key_b))
    loss = functools.partial(
        info_nce, temperature=temperature, axis_name=axis_name, exchange=exchange, block_size=block_size
    )
    return 2.0 * temperature * (loss(query_a, key_b) + loss(query_b, key_a))
