"""Attentive probe: a learned query attends to an encoder's frozen tokens, and a linear layer reads what it finds."""

import functools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jssl.evaluation.reading import collect
from jssl.evaluation.subject import Encoder
from jssl.models.norms import layer_norm
from jssl.models.transformer import dense

__all__ = ["HELD", "AttentiveProbe", "Recipe", "evaluate"]

HELD = 2 << 30
"""Bytes of training tokens that are kept in memory; more of them are encoded again in every epoch."""


class Recipe(NamedTuple):
    """How the probe is trained: AdamW, a cosine to zero.

    Attributes:
      epochs: over the training examples.
      learning_rate: at the start.
      weight_decay: decoupled.
      batch_size: examples at a time.
    """

    epochs: int = 20
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    batch_size: int = 256


class AttentiveProbe(nn.Module):
    """Cross-attention of one learned query to normalised tokens, an MLP, and a linear layer, as V-JEPA's.

    Attributes:
      num_classes: C.
      mlp_ratio: hidden width of the MLP over the width.

    >>> probe = AttentiveProbe(num_classes=3)
    >>> jax.eval_shape(probe.init_with_output, jax.random.key(0), jnp.ones((2, 4, 8)))[0].shape
    (2, 3)

    References: Bardes et al. 2024, arXiv:2404.08471, section 4. Of heads there is one for every 64 columns.
    """

    num_classes: int
    mlp_ratio: float = 4.0

    @nn.compact
    def __call__(self, tokens):
        """(B, N, D) -> logits (B, C)."""
        batch, count, width = tokens.shape
        heads = next(n for n in range(max(1, width // 64), 0, -1) if width % n == 0)
        layer = functools.partial(dense, dtype=jnp.float32, param_dtype=jnp.float32)
        query = self.param("query", nn.initializers.truncated_normal(0.02), (1, 1, width), jnp.float32)
        query = jnp.broadcast_to(query, (batch, 1, width))
        keys = layer(2 * width, "kv")(layer_norm(tokens, name="norm1"))
        keys = keys.reshape(batch, count, 2, heads, width // heads)
        asked = layer(width, "q")(query).reshape(batch, 1, heads, width // heads)
        found = jax.nn.dot_product_attention(asked, keys[:, :, 0], keys[:, :, 1]).reshape(batch, 1, width)
        x = (query + layer(width, "proj")(found))[:, 0]
        hidden = nn.gelu(layer(int(self.mlp_ratio * width), "fc1")(layer_norm(x, name="norm2")), approximate=False)
        x = x + layer(width, "fc2")(hidden)
        return layer(self.num_classes, "classifier")(x)


def evaluate(subject: Encoder, recipe: Recipe, *, num_classes: int, seed: int) -> dict[str, float]:
    """Trains a probe on the tokens of the training split.

    Args:
      subject: whose default readout has tokens; its splits have labels.
      recipe: see above.
      num_classes: C.
      seed: of the probe and of the order.

    Returns:
      ``attentive``, the accuracy on the test split, and ``attentive_train``, that of the last epoch's batches.

    Raises:
      ValueError: numbers that make no sense; an encoder without tokens.
    """
    if recipe.epochs < 1 or recipe.batch_size < 1:
        raise ValueError(f"attentive: epochs={recipe.epochs}, batch_size={recipe.batch_size}: use at least 1 of each")
    length = len(subject.source("train"))
    size = min(recipe.batch_size, length)
    batches, rng = _Batches(subject), np.random.default_rng(seed)
    probe, steps = AttentiveProbe(num_classes), recipe.epochs * (length // size)
    tx = optax.adamw(optax.cosine_decay_schedule(recipe.learning_rate, steps), weight_decay=recipe.weight_decay)
    train, right = _programs(probe, tx)
    state = None
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # optax mixes both
        for _ in range(recipe.epochs):
            hits = []
            for tokens, labels in batches(rng.permutation(length)[: length // size * size], size):
                if state is None:
                    params = probe.init(jax.random.key(seed), tokens)
                    state = params, tx.init(params)
                state, hit = train(state, tokens, labels)
                hits.append(hit)
        assert state is not None
        found = [
            np.asarray(right(state[0], part["features"], part["label"]))
            for part in subject.stream("test", fields=("label",), tokens=True)
        ]
    share = float(np.concatenate(found).mean())
    return {"attentive": share, "attentive_train": float(np.mean(jax.device_get(hits)))}


class _Batches:
    """Tokens and labels of training examples in any order, held where they are few."""

    def __init__(self, subject: Encoder):
        self._subject = subject
        self._held: dict[str, np.ndarray] = {}
        source = subject.source("train")
        first = next(iter(subject.stream("train", tokens=True, indices=[0])))["features"]
        if len(source) * first.nbytes <= HELD:
            parts = subject.stream("train", tokens=True, fields=("label",))
            self._held = collect(parts, len(source))

    def __call__(self, order: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Batches of ``size``."""
        if self._held:
            for start in range(0, len(order), size):
                rows = order[start : start + size]
                yield self._held["features"][rows], self._held["label"][rows]
            return
        yield from _of_size(self._subject.stream("train", tokens=True, fields=("label",), indices=order), size)


def _of_size(parts: Iterable[dict[str, np.ndarray]], size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    held: list[tuple[np.ndarray, np.ndarray]] = []
    for part in parts:
        held.append((part["features"], part["label"]))
        if sum(len(labels) for _, labels in held) >= size:
            tokens, labels = (np.concatenate(arrays) for arrays in zip(*held))
            whole = len(labels) // size * size
            for start in range(0, whole, size):
                yield tokens[start : start + size], labels[start : start + size]
            held = [(tokens[whole:], labels[whole:])]


def _programs(probe, tx):
    """The step, (state, tokens, labels) -> (state, share of right answers), and which answers are right."""

    def loss(params, tokens, labels):
        logits = probe.apply(params, tokens)
        value = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
        return value, (logits.argmax(-1) == labels).astype(jnp.float32).mean()

    @jax.jit
    def train(state, tokens, labels):
        params, moments = state
        grads, hit = jax.grad(loss, has_aux=True)(params, tokens, labels)
        updates, moments = tx.update(grads, moments, params)
        return (optax.apply_updates(params, updates), moments), hit

    @jax.jit
    def right(params, tokens, labels):
        return probe.apply(params, tokens).argmax(-1) == labels

    return train, right
