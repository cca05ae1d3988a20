"""Cross-entropy of a language model that names the next token, from features: the logits are never whole."""

import jax

from jssl.collectives import AxisName
from jssl.objectives._mesh import any_mesh
from jssl.objectives.prediction import _tiled


@any_mesh
def causal_lm_loss(
    features: jax.Array,
    embedding: jax.Array,
    targets: jax.Array,
    weights: jax.Array,
    *,
    tile: int = 1024,
    axis_name: AxisName = None,
) -> jax.Array:
    r"""Softmax cross-entropy of ``features @ embedding.T``, averaged over all positions.

    .. math:: \frac{\sum_i w_i \ell_i}{\sum_i w_i}, \quad
              \ell_i = \log \sum_{v=1}^V e^{x_i \cdot e_v} - x_i \cdot e_{y_i}

    The value is that of `cross_entropy_loss` of the logits with the same weights, and so is what is said there about
    accumulation. But with a vocabulary of 50,000 the (B, L, V) logits, in float32 and once more for their gradient,
    take as much memory as many layers. Here only those of `tile` tokens exist at a time, and while they do, their part
    of the gradient is taken as well, so that differentiation computes no logits twice: it costs the three matrix
    products that it costs with whole logits, a float32 array of the size of the features and one of that of the
    embedding. It can be differentiated in reverse mode, once.

    Args:
      features: (B, L, D) output of the network, any float dtype.
      embedding: (V, D) output embedding, any float dtype. The products run in the dtype of features, with float32 sums;
        logits, softmax and the sum of this array's gradient are float32.
      targets: (B, L) integers in 0..V-1, the token that each position must name: the view has shifted them already. A
        target outside makes loss and gradients NaN unless its weight is 0.
      weights: (B, L) weight of each position, not negative, 0 to ignore it, whatever its features are. No gradient.
      tile: number of tokens whose logits exist at a time, at least 1; it bounds memory and does not change the value.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the weighted mean over the global batch; 0 when all weights are 0. Gradients have the dtypes of
      features and embedding.

    Raises:
      ValueError: shapes disagree, an array is empty, targets are not integers, or tile is below 1.

    >>> import jax.numpy as jnp
    >>> features, embedding = jnp.eye(4)[None], 9.0 * jnp.eye(4)
    >>> targets, weights = jnp.array([[1, 1, 2, 3]]), jnp.array([[0.0, 1.0, 1.0, 1.0]])
    >>> round(float(causal_lm_loss(features, embedding, targets, weights)), 4)  # log(e^9 + 3) - 9
    0.0004
    >>> round(float(causal_lm_loss(features, embedding, targets, 1.0 - weights, tile=3)), 4)
    9.0004

    Reference: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019. Its public versions (nanoGPT)
    hold the whole logits, rounded to bfloat16 under automatic mixed precision, and mark what is to be ignored by the
    target -1. Taking the gradient tile by tile during the forward pass: Hsu et al., "Liger Kernel: Efficient Triton
    Kernels for LLM Training", 2024 (arXiv:2410.10989).
    """
    return _tiled.cross_entropy("causal_lm_loss", features, embedding, targets, weights, tile, axis_name)
