"""wav2vec 2.0: find the quantised frame that belongs to a masked place among those of other masked places."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.audio._frames import same_frames, weighted_mean
from jssl.objectives.similarity import l2_normalize


@any_mesh
def wav2vec2_loss(
    context: jax.Array,
    quantized: jax.Array,
    negatives: jax.Array,
    weights: jax.Array,
    *,
    temperature: float,
    axis_name: AxisName = None,
) -> jax.Array:
    r"""Contrastive loss of masked frames against distractors of the same utterance.

    .. math:: \frac{\sum_{bn} w_{bn} \ell_{bn}}{\sum_{bn} w_{bn}}, \quad
              \ell_{bn} = -\log \frac{e^{\cos(c_{bn}, q_{bn}) / \tau}}
              {e^{\cos(c_{bn}, q_{bn}) / \tau} + \sum_{m \in N_{bn},\, q_{bm} \ne q_{bn}} e^{\cos(c_{bn}, q_{bm}) / \tau}}

    A distractor that equals the positive, as frames with the same codes do, is left out. So a quantiser that gives all
    frames one code has the loss 0: train with `code_diversity_loss` beside it.

    Args:
      context: (B, N, D) what the network says of each masked frame, any float dtype.
      quantized: (B, N, D) the codes of these frames. They get a gradient: the quantiser is learnt.
      negatives: (B, N, K) integers in 0..N-1, which frames of its own utterance each is compared with.
      weights: (B, N) weight of each frame, 0 for one that is none (padding, or not masked). No gradient.
      temperature: of the softmax, 0.1 in the paper.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the weighted mean over the global batch; 0 when all weights are 0.

    Raises:
      ValueError: shapes disagree, an array is empty, negatives are not integers, or the temperature is not above 0.

    >>> frames, one_other = jnp.eye(3)[None], jnp.array([[[1], [2], [0]]])
    >>> round(float(wav2vec2_loss(frames, frames, one_other, jnp.ones((1, 3)), temperature=1.0)), 4)  # log(1 + 1 / e)
    0.3133
    >>> float(wav2vec2_loss(frames, jnp.ones((1, 3, 3)), one_other, jnp.ones((1, 3)), temperature=1.0))  # one code
    0.0

    Reference: Baevski et al., "wav2vec 2.0: A Framework for Self-Supervised Learning of Speech Representations", 2020
    (arXiv:2006.11477). The authors' code sums over the masked frames: ``weights.sum()`` times this.
    """
    _checks.same_shape("wav2vec2_loss", context=context, quantized=quantized)
    _checks.rank("wav2vec2_loss", 3, "(batch, frames, features)", context=context)
    _checks.rank("wav2vec2_loss", 3, "(batch, frames, negatives)", negatives=negatives)
    _checks.integers("wav2vec2_loss", negatives=negatives)
    if negatives.shape[:2] != context.shape[:2]:
        raise ValueError(
            f"wav2vec2_loss: negatives (B, N, K) have shape {negatives.shape} but context (B, N, D) has shape {context.shape}"
        )
    same_frames("wav2vec2_loss", {"context": context}, weights)
    _checks.positive("wav2vec2_loss", temperature=temperature)
    # All pairs of an utterance and then a choice of them: the product is small beside gathered copies of the frames.
    cosine = jnp.einsum(
        "bnd,bmd->bnm",
        l2_normalize(context),
        l2_normalize(quantized),
        precision=lax.Precision.HIGHEST,
        preferred_element_type=jnp.float32,
    )
    equal = jnp.all(quantized[:, :, None] == quantized[:, None], axis=-1)
    logits = jnp.where(equal, -jnp.inf, cosine / temperature)
    others = jnp.take_along_axis(logits, negatives, axis=2)
    positive = jnp.diagonal(cosine, axis1=1, axis2=2)[..., None] / temperature
    losses = -jax.nn.log_softmax(jnp.concatenate([positive, others], axis=2), axis=2)[..., 0]
    return weighted_mean(losses, lax.stop_gradient(weights).astype(jnp.float32), axis_name)


def code_perplexity(probabilities: jax.Array, weights: jax.Array, *, axis_name: AxisName = None) -> jax.Array:
    r"""How many codes a product quantiser uses: the sum over its groups of the perplexity of the mean distribution.

    .. math:: \sum_g \exp\Bigl(-\sum_v \bar p_{gv} \log \bar p_{gv}\Bigr), \quad
              \bar p_{gv} = \frac{\sum_{bn} w_{bn}\, p_{bngv}}{\sum_{bn} w_{bn}}

    It lies between G, one code per group, and GV, all equally often. Of one-hot choices it says what is used; of the
    softmax before the choice it can be trained.

    Args:
      probabilities: (B, N, G, V) of the codes of each frame, any float dtype.
      weights: (B, N) weight of each frame, 0 for padding. No gradient.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, of the global batch.

    Raises:
      ValueError: shapes disagree, or an array is empty.

    >>> used = jax.nn.one_hot(jnp.array([[[0, 0], [1, 0]]]), 4)  # two codes of the first group, one of the second
    >>> round(float(code_perplexity(used, jnp.ones((1, 2)))), 3)
    3.0

    Reference: as `wav2vec2_loss`. The authors' code takes the mean over the frames of one device, and
    adds 1e-7 inside of the logarithm.
    """
    _checks.rank("code_perplexity", 4, "(batch, frames, groups, codes)", probabilities=probabilities)
    same_frames("code_perplexity", {"probabilities": probabilities}, weights)
    weights = lax.stop_gradient(weights).astype(jnp.float32)[..., None, None]
    total, count = collectives.sum(
        (jnp.sum(probabilities.astype(jnp.float32) * weights, axis=(0, 1)), jnp.sum(weights)), axis_name
    )
    mean = total / jnp.where(count > 0, count, 1.0)
    logarithm = jnp.log(jnp.where(mean > 0, mean, 1.0))  # of a code that nothing chooses: 0 log 0 is 0
    return jnp.sum(jnp.exp(-jnp.sum(mean * logarithm, axis=-1)))


def code_diversity_loss(probabilities: jax.Array, weights: jax.Array, *, axis_name: AxisName = None) -> jax.Array:
    r"""The share of the codes that is not used, :math:`(GV - \text{perplexity}) / GV`; see `code_perplexity`.

    Args:
      probabilities: (B, N, G, V) of the codes of each frame, without noise, any float dtype.
      weights: (B, N) weight of each frame, 0 for padding. No gradient.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, of the global batch: from 0, all codes equally often, to almost 1.

    Raises:
      ValueError: shapes disagree, or an array is empty.

    >>> round(float(code_diversity_loss(jnp.full((1, 5, 2, 8), 1 / 8), jnp.ones((1, 5)))), 4)
    0.0

    Reference: as `wav2vec2_loss`. The authors' code multiplies by the number of masked frames, as its contrastive loss
    is a sum, and by 0.1.
    """
    _checks.rank("code_diversity_loss", 4, "(batch, frames, groups, codes)", probabilities=probabilities)
    same_frames("code_diversity_loss", {"probabilities": probabilities}, weights)
    codes = probabilities.shape[2] * probabilities.shape[3]
    return (codes - code_perplexity(probabilities, weights, axis_name=axis_name)) / codes
