"""Cross-entropy of a language model that names the next token, from features: the logits are never whole."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.similarity import inner


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
    _check(features, embedding, targets, weights, tile)
    # Every tiles-th token and not neighbours: a batch that plain jit splits over devices is split in each tile too.
    count = targets.size
    tiles = -(-count // tile)
    rows = -(-count // tiles)
    targets, weights = targets.astype(jnp.int32), lax.stop_gradient(weights).astype(jnp.float32)
    in_vocabulary = (targets >= 0) & (targets < len(embedding))
    ignored = weights == 0
    weights = jnp.where(in_vocabulary | ignored, weights, jnp.nan)
    features = jnp.where(ignored[..., None], jnp.zeros_like(features), features)  # what is ignored may be NaN

    def tiled(x):
        x = x.reshape(count, *x.shape[2:])
        x = jnp.pad(x, [(0, rows * tiles - count)] + [(0, 0)] * (x.ndim - 1))  # rows of weight 0
        return x.reshape(rows, tiles, *x.shape[1:]).swapaxes(0, 1)

    embedding = collectives.vary_like(embedding, features)
    total = _total(tiled(features), embedding, tiled(targets), tiled(weights))
    total, weight = collectives.sum((total, jnp.sum(weights)), axis_name)
    return total / jnp.where(weight > 0, weight, 1.0)


@jax.custom_vjp
def _total(features, embedding, targets, weights):
    """Sum over tiles and rows of w * loss, for features (T, N, D), embedding (V, D), targets and weights (T, N)."""
    columns = embedding.astype(features.dtype)
    return jnp.sum(lax.map(lambda tile: _losses(columns, *tile)[0], (features, targets, weights)))


def _losses(columns, features, targets, weights):
    """Of one tile: w * loss (N,), and the gradient of their sum with respect to the logits (N, V), in float32."""
    logits = inner(features, columns)
    log_normalizer = jax.nn.logsumexp(logits, axis=1, keepdims=True)
    is_target = lax.broadcasted_iota(jnp.int32, logits.shape, 1) == targets[:, None]
    losses = log_normalizer[:, 0] - jnp.sum(jnp.where(is_target, logits, 0.0), axis=1)
    gradient = weights[:, None] * (jnp.exp(logits - log_normalizer) - is_target.astype(jnp.float32))
    return weights * losses, gradient


def _forward(features, embedding, targets, weights):
    columns = embedding.astype(features.dtype)

    def step(embedding_grad, tile):
        losses, gradient = _losses(columns, *tile)
        gradient = gradient.astype(features.dtype)  # so that these products run as fast as the first one
        embedding_grad += inner(gradient.T, tile[0].T)
        return embedding_grad, (losses, inner(gradient, columns.T))

    start = jnp.zeros_like(embedding, dtype=jnp.float32)
    embedding_grad, (losses, features_grad) = lax.scan(step, start, (features, targets, weights))
    return jnp.sum(losses), ((features_grad, embedding_grad), (features, embedding))


def _backward(saved, cotangent):
    gradients, arrays = saved
    return *((cotangent * gradient).astype(array.dtype) for gradient, array in zip(gradients, arrays)), None, None


_total.defvjp(_forward, _backward)


def _check(features, embedding, targets, weights, tile):
    _checks.rank("causal_lm_loss", 3, "(batch, positions, features)", features=features)
    _checks.rank("causal_lm_loss", 2, "(vocabulary, features)", embedding=embedding)
    _checks.last_axis("causal_lm_loss", features=features, embedding=embedding)
    for name, array in {"targets": targets, "weights": weights}.items():
        if array.shape != features.shape[:2]:
            raise ValueError(
                f"causal_lm_loss: {name} (B, L) have shape {array.shape} but features (B, L, D) have shape {features.shape}"
            )
    _checks.integers("causal_lm_loss", targets=targets)
    _checks.positive("causal_lm_loss", tile=tile)
