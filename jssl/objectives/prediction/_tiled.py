"""The cross-entropy of ``features @ embedding.T`` a tile of tokens at a time: what losses of words share."""

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.objectives import _checks
from jssl.objectives.similarity import inner


def cross_entropy(function, features, embedding, targets, weights, tile, axis_name):
    """The weighted mean over the global batch, see ``causal_lm_loss``, which names the arguments; ``function`` is for errors."""
    _check(function, features, embedding, targets, weights, tile)
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


def _check(function, features, embedding, targets, weights, tile):
    _checks.rank(function, 3, "(batch, positions, features)", features=features)
    _checks.rank(function, 2, "(vocabulary, features)", embedding=embedding)
    _checks.last_axis(function, features=features, embedding=embedding)
    for name, array in {"targets": targets, "weights": weights}.items():
        if array.shape != features.shape[:2]:
            raise ValueError(
                f"{function}: {name} (B, L) have shape {array.shape} but features (B, L, D) have shape {features.shape}"
            )
    _checks.integers(function, targets=targets)
    _checks.positive(function, tile=tile)
