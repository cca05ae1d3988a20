"""NT-Xent, the loss of SimCLR, with an option that never holds the whole similarity matrix."""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from jssl import collectives
from jssl.collectives import AxisName
from jssl.objectives import _checks
from jssl.objectives._mesh import any_mesh
from jssl.objectives.similarity import inner, l2_normalize


@any_mesh
def nt_xent(
    view_a: jax.Array,
    view_b: jax.Array,
    *,
    temperature: float | jax.Array,
    normalize: bool = True,
    axis_name: AxisName = None,
    chunk_size: int | None = None,
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
      chunk_size: number of anchors (rows of the similarity matrix) held at a time, in the forward and in the backward
        pass: memory is O(chunk_size * B) in place of O(B * B), for about a third more arithmetic in the loss. The
        value is the same.

    Returns:
      float32 scalar, the mean over the 2B anchors of the global batch.

    Raises:
      ValueError: shapes disagree, an array is empty, or temperature or chunk_size is not above 0.

    >>> x = jnp.eye(4)
    >>> round(float(nt_xent(x, x, temperature=1.0)), 4)  # log(e + 6) - 1
    1.1654
    >>> round(float(nt_xent(x, x, temperature=1.0, chunk_size=3)), 4)
    1.1654

    Reference: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", 2020. The authors'
    code returns twice this value (it adds the two directions) and removes self-similarity by subtracting 1e9.
    """
    _checks.rank("nt_xent", 2, "(batch, features)", view_a=view_a, view_b=view_b)
    _checks.same_shape("nt_xent", view_a=view_a, view_b=view_b)
    _checks.positive("nt_xent", temperature=temperature, chunk_size=chunk_size)
    view_a, view_b = (l2_normalize(x) if normalize else x.astype(jnp.float32) for x in (view_a, view_b))
    batch = len(view_a)
    candidates = jnp.concatenate([collectives.gather(view_a, axis_name), collectives.gather(view_b, axis_name)])
    anchors = jnp.concatenate([view_a, view_b])
    example = collectives.index(axis_name) * batch + jnp.arange(batch)
    other = example + len(candidates) // 2
    own, positive = jnp.concatenate([example, other]), jnp.concatenate([other, example])

    losses = functools.partial(_losses, candidates=candidates, temperature=temperature)
    if chunk_size is None or chunk_size >= 2 * batch:
        per_anchor = losses((anchors, own, positive))
    else:
        # Rows of padding are zero vectors: finite loss, dropped below, no gradient.
        chunks = -(-2 * batch // chunk_size)
        padding = chunks * chunk_size - 2 * batch
        blocks = [
            jnp.pad(x, [(0, padding)] + [(0, 0)] * (x.ndim - 1)).reshape(chunks, chunk_size, *x.shape[1:])
            for x in (anchors, own, positive)
        ]
        # The checkpoint makes the backward scan compute each block of logits again instead of keeping all of them.
        # Inside a scan nothing can be merged with the forward pass, so the barrier against that is left out.
        per_anchor = lax.map(jax.checkpoint(losses, prevent_cse=False), tuple(blocks)).reshape(-1)[: 2 * batch]
    return collectives.mean(jnp.mean(per_anchor), axis_name)


def _losses(block, *, candidates, temperature):
    """Losses (N,) of the anchors (N, D) whose own and positive candidates are the columns `own` and `positive`."""
    anchors, own, positive = block
    logits = inner(anchors, candidates) / temperature
    columns = jnp.arange(len(candidates))[None, :]
    logits = jnp.where(columns == own[:, None], -jnp.inf, logits)
    # Picked out of the same product as the denominator: computed apart, the two would differ by rounding / tau.
    similarity = jnp.sum(jnp.where(columns == positive[:, None], logits, 0.0), axis=1)
    return jax.nn.logsumexp(logits, axis=1) - similarity
