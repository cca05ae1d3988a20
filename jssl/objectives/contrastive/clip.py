"""CLIP: every picture must find its text among the batch's, and every text its picture."""

import jax
import jax.numpy as jnp

from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.contrastive import _in_batch


@any_mesh
def clip_loss(
    image: jax.Array,
    text: jax.Array,
    *,
    logit_scale: float | jax.Array,
    axis_name: AxisName = None,
    exchange: str = "gather",
    block_size: int | None = None,
) -> jax.Array:
    r"""Symmetric softmax cross-entropy between the two halves of a pair, with the global batch as negatives.

    .. math:: -\frac1{2B} \sum_i \left[\log \frac{e^{s\, x_i \cdot t_i}}{\sum_j e^{s\, x_i \cdot t_j}}
              + \log \frac{e^{s\, x_i \cdot t_i}}{\sum_j e^{s\, x_j \cdot t_i}}\right]

    Unlike the other contrastive losses it does not normalise: hand it the unit vectors, from `l2_normalize`. The loss
    couples examples, so accumulation over micro-batches (fewer negatives) is a different loss.

    Args:
      image: (B, D) features of unit length, any float dtype.
      text: (B, D) row i belongs to picture i.
      logit_scale: scalar s above 0, the inverse of a temperature. It gets a gradient: where a parameter holds its
        logarithm, as in the paper, pass the exponential, and bound that (the paper: at 100).
      axis_name: mapped axes that the batch is split over.
      exchange: ``"gather"`` the features of all devices on each, or pass them on in a ``"ring"``: see `nt_xent`.
      block_size: rows compared at a time; None chooses.

    Returns:
      float32 scalar, the mean over both directions and the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, or logit_scale is not a scalar above 0.

    >>> x = jnp.eye(4)
    >>> round(float(clip_loss(x, x, logit_scale=1.0)), 4)  # log(e + 3) - 1
    0.7437

    Reference: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021
    (arXiv:2103.00020). The value is that of open_clip, whose devices each take the mean over their own rows.
    """
    _checks.rank("clip_loss", 2, "(batch, features)", image=image, text=text)
    _checks.same_shape("clip_loss", image=image, text=text)
    _checks.positive("clip_loss", logit_scale=logit_scale)
    scale = _checks.scalar("clip_loss", logit_scale=logit_scale)
    image, text = image.astype(jnp.float32), text.astype(jnp.float32)
    # The rows are scaled and not the products: fused with the subtraction of the largest, a product that is not
    # rounded would differ from one that is.
    options = {"function": "clip_loss", "exchange": exchange, "block_size": block_size, "axis_name": axis_name}
    image_to_text = _in_batch.pick_own(scale * image, text, **options)
    return (image_to_text + _in_batch.pick_own(scale * text, image, **options)) / 2
