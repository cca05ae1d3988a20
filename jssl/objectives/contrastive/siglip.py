"""SigLIP: every picture and text of the batch is judged as a pair or not, without a softmax."""

import jax
import jax.numpy as jnp

from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.contrastive import _in_batch, _streaming
from jssl.objectives.similarity import inner


@any_mesh
def siglip_loss(
    image: jax.Array,
    text: jax.Array,
    *,
    logit_scale: float | jax.Array,
    logit_bias: float | jax.Array,
    axis_name: AxisName = None,
    exchange: str = "gather",
    block_size: int | None = None,
) -> jax.Array:
    r"""Binary cross-entropy of all pairs of a picture and a text of the global batch.

    .. math:: -\frac1B \sum_{i=1}^B \sum_{j=1}^B \log \sigma(y_{ij} (s\, x_i \cdot t_j + b)), \quad
              y_{ij} = 1 \text{ if } i = j \text{ else } -1

    It is a mean over pictures of a sum over texts, as in the paper, whose learning rates and initial bias count on it:
    B times the mean over pairs. Unlike the other contrastive losses it does not normalise: hand it the unit vectors,
    from `l2_normalize`. The loss couples examples, so accumulation over micro-batches (fewer negatives) is a different
    loss.

    Args:
      image: (B, D) features of unit length, any float dtype.
      text: (B, D) row i belongs to picture i.
      logit_scale: scalar s above 0. It gets a gradient; the paper learns its logarithm, from log 10.
      logit_bias: scalar b. It gets a gradient; the paper starts from -10, since nearly all pairs are negative.
      axis_name: mapped axes that the batch is split over.
      exchange: ``"gather"`` the features of all devices on each, or pass them on in a ``"ring"``: see `nt_xent`.
      block_size: rows compared at a time; None chooses.

    Returns:
      float32 scalar, the mean over the pictures of the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, logit_scale is not a scalar above 0, or logit_bias is not a scalar.

    >>> x = jnp.eye(4)
    >>> round(float(siglip_loss(x, x, logit_scale=10.0, logit_bias=-5.0)), 4)  # 4 log(1 + e^-5)
    0.0269

    Reference: Zhai et al., "Sigmoid Loss for Language Image Pre-Training", 2023 (arXiv:2303.15343). The value is that of
    open_clip, which passes the texts from device to device, as the ring does.
    """
    _checks.rank("siglip_loss", 2, "(batch, features)", image=image, text=text)
    _checks.same_shape("siglip_loss", image=image, text=text)
    _checks.positive("siglip_loss", logit_scale=logit_scale)
    scale = _checks.scalar("siglip_loss", logit_scale=logit_scale)
    bias = _checks.scalar("siglip_loss", logit_bias=logit_bias)
    image, text = image.astype(jnp.float32), text.astype(jnp.float32)
    example = _in_batch.numbers(len(image), axis_name)
    return _streaming.mean_over_rows(
        _judge,
        _total,
        (scale * image, example),
        (text, example),
        bias,
        function="siglip_loss",
        exchange=exchange,
        block_size=block_size,
        axis_name=axis_name,
    )


def _judge(images, texts, bias, image_numbers, text_numbers):
    logits = inner(images, texts) + bias
    is_pair = image_numbers[:, None] == text_numbers[None, :]
    losses = jax.nn.softplus(jnp.where(is_pair, -logits, logits))
    return _streaming.Sums(plain=(jnp.sum(losses, axis=1),))


def _total(sums):
    return sums.plain[0]
