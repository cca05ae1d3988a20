"""Cross-entropy of a language model that names hidden tokens, from features: only those of hidden places are looked at."""

import jax
import jax.numpy as jnp

from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.prediction import _tiled


@any_mesh
def masked_lm_loss(
    features: jax.Array,
    embedding: jax.Array,
    positions: jax.Array,
    targets: jax.Array,
    weights: jax.Array,
    *,
    tile: int = 1024,
    axis_name: AxisName = None,
) -> jax.Array:
    r"""Softmax cross-entropy of ``features[positions] @ embedding.T``, averaged over all hidden positions.

    .. math:: \frac{\sum_k w_k \ell_k}{\sum_k w_k}, \quad
              \ell_k = \log \sum_{v=1}^V e^{x_{p_k} \cdot e_v} - x_{p_k} \cdot e_{y_k}

    The features of the K hidden positions of each row are gathered, and what follows is `causal_lm_loss`: the logits of
    `tile` of them exist at a time. The mean is over the positions of the whole batch, so accumulation is exact where
    each row has as many.

    Args:
      features: (B, L, D) output of the network for the rows with hidden tokens, any float dtype.
      embedding: (V, D) output embedding, any float dtype.
      positions: (B, K) integers in 0..L-1, the places to be named.
      targets: (B, K) integers in 0..V-1, the tokens that were there.
      weights: (B, K) weight of each, not negative, 0 for a slot that is not used. No gradient.
      tile: number of positions whose logits exist at a time; it bounds memory and does not change the value.
      axis_name: mapped axes that the batch is split over.

    Returns:
      float32 scalar, the weighted mean over the global batch; 0 when all weights are 0. Gradients have the dtypes of
      features and embedding.

    Raises:
      ValueError: shapes disagree, an array is empty, positions or targets are not integers, or tile is below 1.

    >>> features, embedding = jnp.eye(4)[None], 9.0 * jnp.eye(4)
    >>> positions, weights = jnp.array([[2, 1]]), jnp.ones((1, 2))
    >>> round(float(masked_lm_loss(features, embedding, positions, positions, weights)), 4)  # log(e^9 + 3) - 9
    0.0004

    Reference: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", 2018
    (arXiv:1810.04805). The authors' code gathers, too, and adds 1e-5 to the sum of the weights; it has a layer before the
    product and a bias after it, which here are the network's affair.
    """
    _checks.rank("masked_lm_loss", 3, "(batch, positions, features)", features=features)
    _checks.rank("masked_lm_loss", 2, "(batch, hidden positions)", positions=positions)
    _checks.rank("masked_lm_loss", 2, "(vocabulary, features)", embedding=embedding)
    _checks.last_axis("masked_lm_loss", features=features, embedding=embedding)
    _checks.integers("masked_lm_loss", positions=positions)
    if len(positions) != len(features):
        raise ValueError(
            f"masked_lm_loss: positions (B, K) have shape {positions.shape} but features (B, L, D) have shape {features.shape}"
        )
    for name, array in {"targets": targets, "weights": weights}.items():
        _checks.same_shape("masked_lm_loss", **{"positions": positions, name: array})
    hidden = jnp.take_along_axis(features, positions[..., None].astype(jnp.int32), axis=1)
    return _tiled.cross_entropy("masked_lm_loss", hidden, embedding, targets, weights, tile, axis_name)
