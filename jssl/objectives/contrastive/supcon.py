"""Supervised contrastive loss: every view must find all views of its class among all others."""

import jax

from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.contrastive import _in_batch
from jssl.objectives.similarity import l2_normalize


@any_mesh
def sup_con_loss(
    view_a: jax.Array,
    view_b: jax.Array,
    labels: jax.Array,
    *,
    temperature: float | jax.Array,
    axis_name: AxisName = None,
    exchange: str = "gather",
    block_size: int | None = None,
) -> jax.Array:
    r"""Mean cross-entropy over an anchor's positives: the other views, of any example, that share its label.

    .. math:: -\frac1{2B} \sum_{i=1}^{2B} \frac1{|P(i)|} \sum_{p \in P(i)}
              \log \frac{e^{z_i z_p / \tau}}{\sum_{j \ne i} e^{z_i z_j / \tau}}

    with :math:`z` the two views stacked and :math:`P(i)` all j other than i of i's label, so at least the other view
    of the same example. Positives and negatives are global. When all labels differ this is `nt_xent`. The loss couples
    examples, so accumulation over micro-batches (fewer positives and negatives) is a different loss.

    Args:
      view_a: (B, D) any float dtype; L2-normalised inside, in float32.
      view_b: (B, D) row i is the other view of example i.
      labels: (B,) integers of any value.
      temperature: above 0.
      axis_name: mapped axes that the batch is split over.
      exchange: ``"gather"`` the features of all devices on each, or pass them on in a ``"ring"``: see `nt_xent`.
      block_size: rows compared at a time; None chooses.

    Returns:
      float32 scalar, the mean over the 2B anchors of the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, labels are not integers, or the temperature is not above 0.

    >>> import jax.numpy as jnp
    >>> x = jnp.eye(4)
    >>> round(float(sup_con_loss(x, x, jnp.array([0, 1, 2, 3]), temperature=1.0)), 4)  # log(e + 6) - 1
    1.1654

    Reference: Khosla et al., "Supervised Contrastive Learning", 2020 (arXiv:2004.11362), the form with the sum
    outside the logarithm. The authors' code multiplies by temperature / 0.07, which is 1 at its default temperature.
    """
    _checks.rank("sup_con_loss", 2, "(batch, features)", view_a=view_a, view_b=view_b)
    _checks.same_shape("sup_con_loss", view_a=view_a, view_b=view_b)
    if labels.shape != view_a.shape[:1]:
        raise ValueError(f"sup_con_loss: labels (B,) have shape {labels.shape} but view_a has shape {view_a.shape}")
    _checks.integers("sup_con_loss", labels=labels)
    _checks.positive("sup_con_loss", temperature=temperature)
    return _in_batch.pick_positives(
        [l2_normalize(view_a), l2_normalize(view_b)],
        labels,
        temperature,
        function="sup_con_loss",
        exchange=exchange,
        block_size=block_size,
        axis_name=axis_name,
    )
