"""Weighted k-nearest-neighbour classification of frozen features: exact, in blocks, with bounded memory."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from jssl.evaluation._checks import labelled
from jssl.objectives import l2_normalize

__all__ = ["accuracy", "nearest", "predict", "votes"]

TRAIN_BLOCK = 65536
"""Training rows compared at a time; with ``block_size`` test rows it bounds the memory."""


def votes(
    train_features,
    train_labels,
    test_features,
    *,
    k: int = 200,
    temperature: float = 0.07,
    num_classes: int,
    block_size: int = 512,
    index=None,
) -> np.ndarray:
    """Class votes of the k nearest training features, exp((s - s_1) / temperature) each, s the cosine similarity.

    The similarity s_1 of the nearest neighbour is subtracted so that no temperature overflows; it changes no ranking.
    Of equally similar neighbours the one with the lower index counts.

    Args:
      train_features: (N, D), normalised here.
      train_labels: (N,) integers in [0, num_classes).
      test_features: (M, D), normalised here.
      k: neighbours; N at most.
      temperature: of the votes.
      num_classes: C.
      block_size: test rows at a time.
      index: (N,) places of the training features among all, ascending, where each process has a part of them; all have the
        same test features. None: they are all here.

    Returns:
      (M, C) float32.

    Raises:
      ValueError: shapes that do not fit, a label out of range, no training example.

    >>> votes(np.eye(2), np.array([1, 0]), np.array([[2.0, 0.0]]), k=1, num_classes=2)
    array([[0., 1.]], dtype=float32)

    References: Wu et al. 2018, arXiv:1805.01978. DINO (Caron et al. 2021, arXiv:2104.14294) sums exp(s / temperature),
    which is exp(s_1 / temperature) times these votes.
    """
    train, labels = labelled("k-NN", train_features, train_labels, num_classes)
    test = np.asarray(test_features)
    if test.ndim != 2 or test.shape[1] != train.shape[1]:
        raise ValueError(f"test features {test.shape} do not fit training features {train.shape}")
    if not len(test):
        return np.zeros((0, num_classes), np.float32)

    if index is None or jax.process_count() == 1:
        bank = _bank(train, labels, block=min(TRAIN_BLOCK, len(train)))
        vote = functools.partial(_votes, *bank, temperature=temperature, k=min(k, len(train)), num_classes=num_classes)
        return _in_blocks(vote, test, block_size)

    bank = _bank(train, np.arange(len(train), dtype=np.int32), block=min(TRAIN_BLOCK, len(train)))
    counts = multihost_utils.process_allgather(np.int32(len(train)))
    near = min(k, len(train))
    width = ((0, 0), (0, min(k, int(counts.max())) - near))

    def vote_together(block):
        """The nearest of every process are compared; none sees the features of another."""
        scores, rows = map(np.asarray, _nearest_with_scores(*bank, block, k=near))
        own = (scores, -np.inf), (labels[rows], 0), (np.asarray(index, np.int32)[rows], 0)
        padded = [np.pad(part, width, constant_values=value) for part, value in own]
        scores, classes, places = (np.concatenate(multihost_utils.process_allgather(part), 1) for part in padded)
        order = np.lexsort((places, -scores))[:, : min(k, int(counts.sum()))]
        scores, classes = (np.take_along_axis(part, order, 1) for part in (scores, classes))
        return _weigh(scores, classes, temperature, num_classes=num_classes)

    return _in_blocks(vote_together, test, block_size)


def nearest(features, queries, *, k: int, block_size: int = 512) -> np.ndarray:
    """The k most similar features of each query, by cosine; of equally similar ones the lower index first.

    Args:
      features: (N, D), normalised here.
      queries: (M, D), normalised here.
      k: how many; N at most.
      block_size: queries at a time.

    Returns:
      (M, min(k, N)) int32 rows of ``features``, most similar first.

    Raises:
      ValueError: shapes that do not fit, no features or no queries.

    >>> nearest(np.eye(3), np.array([[0.1, 2.0, 1.0]]), k=2)
    array([[1, 2]], dtype=int32)
    """
    features, queries = np.asarray(features, np.float32), np.asarray(queries, np.float32)
    if features.ndim != 2 or queries.ndim != 2 or features.shape[1] != queries.shape[1]:
        raise ValueError(f"nearest takes features and queries of one width, not {features.shape} and {queries.shape}")
    if not len(features) or not len(queries):
        raise ValueError(f"nearest needs features and queries, not {len(features)} and {len(queries)}")
    rows = np.arange(len(features), dtype=np.int32)
    bank = _bank(features, rows, block=min(TRAIN_BLOCK, len(features)))
    return _in_blocks(functools.partial(_nearest_rows, *bank, k=min(k, len(features))), queries, block_size)


def _in_blocks(function, rows, block_size: int) -> np.ndarray:
    """``function`` of blocks of rows, all of one shape: one compilation."""
    block_size = min(block_size, len(rows))
    blocks = []
    for start in range(0, len(rows), block_size):
        block = rows[start : start + block_size]
        padded = np.zeros((block_size, rows.shape[1]), np.float32)
        padded[: len(block)] = block
        blocks.append((len(block), function(padded)))
    return np.concatenate([np.asarray(block)[:count] for count, block in blocks])


def predict(
    train_features,
    train_labels,
    test_features,
    *,
    k: int = 200,
    temperature: float = 0.07,
    num_classes: int,
    block_size: int = 512,
    index=None,
) -> np.ndarray:
    """The class with most votes: (M,) int32. Arguments as for ``votes``.

    >>> predict(np.eye(2), np.array([1, 0]), np.array([[2.0, 0.0]]), k=1, num_classes=2)
    array([1], dtype=int32)
    """
    scores = votes(
        train_features,
        train_labels,
        test_features,
        k=k,
        temperature=temperature,
        num_classes=num_classes,
        block_size=block_size,
        index=index,
    )
    return scores.argmax(1).astype(np.int32)


def accuracy(predictions, labels) -> float:
    """The share of predictions that are the label.

    >>> accuracy([1, 2], [1, 0])
    0.5
    """
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    if predictions.shape != labels.shape or not labels.size:
        raise ValueError(f"accuracy takes as many predictions as labels, not {predictions.shape} and {labels.shape}")
    return float(np.mean(predictions == labels))


@functools.partial(jax.jit, static_argnames="block")
def _bank(features, labels, *, block):
    """Pads to whole blocks: (blocks, block, D) normalised features, (blocks, block) labels and validity."""
    padding = -len(features) % block
    valid = jnp.arange(len(features) + padding) < len(features)
    features = jnp.pad(l2_normalize(features), ((0, padding), (0, 0)))
    split = functools.partial(jnp.split, indices_or_sections=len(valid) // block)
    return jnp.stack(split(features)), jnp.stack(split(jnp.pad(labels, (0, padding)))), jnp.stack(split(valid))


def _nearest(bank, labels, valid, test, k):
    """Similarities and labels (M, k) of the k nearest rows of the bank."""
    test = l2_normalize(test)

    def merge(nearest, block):
        """Keeps the k best of those so far and one block; on ties the earlier, as top_k prefers the lower index."""
        features, labels, valid = block
        scores = jnp.einsum("md,nd->mn", test, features, precision="highest")
        scores, index = jax.lax.top_k(jnp.where(valid, scores, -jnp.inf), min(k, len(labels)))
        scores = jnp.concatenate([nearest[0], scores], 1)
        classes = jnp.concatenate([nearest[1], labels[index]], 1)
        scores, index = jax.lax.top_k(scores, k)
        return (scores, jnp.take_along_axis(classes, index, 1)), None

    nothing = jnp.full((len(test), k), -jnp.inf), jnp.zeros((len(test), k), jnp.int32)
    return jax.lax.scan(merge, nothing, (bank, labels, valid))[0]


@functools.partial(jax.jit, static_argnames="k")
def _nearest_rows(bank, rows, valid, queries, *, k):
    return _nearest(bank, rows, valid, queries, k)[1]


@functools.partial(jax.jit, static_argnames="k")
def _nearest_with_scores(bank, labels, valid, test, *, k):
    return _nearest(bank, labels, valid, test, k)


@functools.partial(jax.jit, static_argnames=("k", "num_classes"))
def _votes(bank, labels, valid, test, temperature, *, k, num_classes):
    scores, classes = _nearest(bank, labels, valid, test, k)
    return _weigh(scores, classes, temperature, num_classes=num_classes)


@functools.partial(jax.jit, static_argnames="num_classes")
def _weigh(scores, classes, temperature, *, num_classes):
    weights = jnp.exp((scores - scores[:, :1]) / temperature)

    def add(total, vote):  # one neighbour at a time: the same sum on every run, and no (M, k, C) array
        weight, label = vote
        return total + jnp.where(label[:, None] == jnp.arange(num_classes)[None], weight[:, None], 0.0), None

    total, _ = jax.lax.scan(add, jnp.zeros((len(scores), num_classes)), (weights.T, classes.T))
    return total
