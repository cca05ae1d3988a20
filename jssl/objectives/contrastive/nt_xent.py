"""NT-Xent, the loss of SimCLR."""

import jax
import jax.numpy as jnp

from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.contrastive import _in_batch
from jssl.objectives.similarity import l2_normalize


@any_mesh
def nt_xent(
    view_a: jax.Array,
    view_b: jax.Array,
    *,
    temperature: float | jax.Array,
    normalize: bool = True,
    axis_name: AxisName = None,
    exchange: str = "gather",
    block_size: int | None = None,
) -> jax.Array:
    r"""Normalised temperature-scaled cross-entropy: every view must find its other view among all others.

    .. math:: -\frac1{2B} \sum_{i=1}^{2B} \log \frac{e^{z_i z_{p(i)} / \tau}}{\sum_{j \ne i} e^{z_i z_j / \tau}}

    with :math:`z` the two views stacked and :math:`p(i)` the other view of the same example. Negatives are global.
    The loss couples examples, so accumulation over micro-batches (fewer negatives) is a different loss.

    Args:
      view_a: (B, D) any float dtype; L2-normalised inside, in float32.
      view_b: (B, D) row i is the other view of example i.
      temperature: above 0.
      normalize: False takes the inner products of the views as they are.
      axis_name: mapped axes that the batch is split over.
      exchange: how a device gets the views of the others. ``"gather"`` puts the whole batch's together on each. ``"ring"``
        passes them on from device to device, so that none holds more than its own and those of one other, for a third
        more arithmetic in the loss and twice the transfers. The value is the same.
      block_size: number of anchors that are compared with all views at a time; None chooses. It bounds memory, in the
        forward and in the backward pass, and does not change the value: nothing of size B x B is ever kept.

    Returns:
      float32 scalar, the mean over the 2B anchors of the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, temperature or block_size is not above 0, or no such exchange.

    >>> x = jnp.eye(4)
    >>> round(float(nt_xent(x, x, temperature=1.0)), 4)  # log(e + 6) - 1
    1.1654
    >>> round(float(nt_xent(x, x, temperature=1.0, block_size=3)), 4)
    1.1654

    Reference: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", 2020. The authors'
    code returns twice this value (it adds the two directions) and removes self-similarity by subtracting 1e9.
    """
    _checks.rank("nt_xent", 2, "(batch, features)", view_a=view_a, view_b=view_b)
    _checks.same_shape("nt_xent", view_a=view_a, view_b=view_b)
    _checks.positive("nt_xent", temperature=temperature)
    views = [l2_normalize(x) if normalize else x.astype(jnp.float32) for x in (view_a, view_b)]
    return _in_batch.pick_positives(
        views,
        _in_batch.numbers(len(view_a), axis_name),
        temperature,
        function="nt_xent",
        exchange=exchange,
        block_size=block_size,
        axis_name=axis_name,
    )
