"""Weighted k-nearest-neighbour classification of frozen features: exact, in blocks, with bounded memory."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from jssl.evaluation._checks import labelled
from jssl.objectives import l2_normalize

__all__ = ["accuracy", "nearest", "neighbours", "predict", "tally", "votes"]

TRAIN_BLOCK = 65536
"""Rows of the bank that are on the device at a time; with ``block_size`` queries it bounds the memory."""


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
    """Class votes of the k nearest training features: ``tally`` of ``neighbours``.

    Args:
      train_features, train_labels, test_features, num_classes, block_size, index: see ``neighbours``.
      k, temperature: see ``tally``.

    Returns:
      (M, C) float32.

    Raises:
      ValueError: shapes that do not fit, a label out of range, no training example.

    >>> votes(np.eye(2), np.array([1, 0]), np.array([[2.0, 0.0]]), k=1, num_classes=2)
    array([[0., 1.]], dtype=float32)
    """
    options = {"num_classes": num_classes, "block_size": block_size, "index": index}
    found = neighbours(train_features, train_labels, test_features, k=k, **options)
    return tally(*found, k=k, temperature=temperature, num_classes=num_classes)


def neighbours(
    train_features, train_labels, test_features, *, k: int, num_classes: int, block_size: int = 512, index=None
) -> tuple[np.ndarray, np.ndarray]:
    """Similarities and classes of the k nearest training features, the nearest first: for ``tally`` with any k up to this.

    The bank is read in blocks, so it may be a memory map of any length: beside it there are ``TRAIN_BLOCK`` of its rows, the
    queries, and k numbers for each. Of equally similar neighbours the one with the lower index comes first.

    Args:
      train_features: (N, D), normalised here. What is not float32 is copied.
      train_labels: (N,) integers in [0, num_classes).
      test_features: (M, D), normalised here.
      k: neighbours; N at most.
      num_classes: C.
      block_size: test rows that are compared at a time.
      index: (N,) places of the training features among all, ascending, where each process has a part of them; all have the
        same test features. None: they are all here.

    Returns:
      Cosine similarities (M, min(k, N)) float32, and labels (M, min(k, N)) int32.

    Raises:
      ValueError: shapes that do not fit, a label out of range, no training example.

    >>> similarities, classes = neighbours(np.eye(2), np.array([1, 0]), np.array([[2.0, 0.0]]), k=2, num_classes=2)
    >>> similarities.tolist(), classes.tolist()
    ([[1.0, 0.0]], [[1, 0]])
    """
    train, labels = labelled("k-NN", train_features, train_labels, num_classes)
    test = np.asarray(test_features)
    if test.ndim != 2 or test.shape[1] != train.shape[1]:
        raise ValueError(f"test features {test.shape} do not fit training features {train.shape}")
    together = index is not None and jax.process_count() > 1
    counts = np.atleast_1d(multihost_utils.process_allgather(np.int32(len(train)))) if together else [len(train)]
    k = min(k, int(sum(counts)))
    if not len(test):
        return np.zeros((0, k), np.float32), np.zeros((0, k), np.int32)
    similarities, rows = _search(train, test, min(k, len(train)), block_size)
    if not together:
        return similarities, labels[rows]
    # The nearest of every process are compared; none sees the features of another.
    width = (0, 0), (0, min(k, int(max(counts))) - rows.shape[1])
    own = (similarities, -np.inf), (labels[rows], 0), (np.asarray(index, np.int32)[rows], 0)
    padded = [np.pad(part, width, constant_values=value) for part, value in own]
    similarities, classes, places = (np.concatenate(multihost_utils.process_allgather(part), 1) for part in padded)
    order = np.lexsort((places, -similarities))[:, :k]
    return np.take_along_axis(similarities, order, 1), np.take_along_axis(classes, order, 1)


def tally(similarities, classes, *, k: int, temperature: float = 0.07, num_classes: int) -> np.ndarray:
    """Votes of the k nearest for their classes, exp((s - s_1) / temperature) each, s the cosine similarity.

    The similarity s_1 of the nearest neighbour is subtracted so that no temperature overflows; it changes no ranking.

    Args:
      similarities: (M, K), the nearest first; see ``neighbours``.
      classes: (M, K) integers.
      k: how many of them vote; K at most.
      temperature: of the votes.
      num_classes: C.

    Returns:
      (M, C) float32.

    >>> tally(np.array([[1.0, 0.9, 0.9]]), np.array([[0, 1, 1]]), k=3, num_classes=2, temperature=1.0).round(2)
    array([[1.  , 1.81]], dtype=float32)

    References: Wu et al. 2018, arXiv:1805.01978. DINO (Caron et al. 2021, arXiv:2104.14294) sums exp(s / temperature),
    which is exp(s_1 / temperature) times these votes.
    """
    similarities, classes = np.asarray(similarities, np.float32)[:, :k], np.asarray(classes, np.int32)[:, :k]
    return np.asarray(_weigh(similarities, classes, temperature, num_classes=num_classes))


def nearest(features, queries, *, k: int, block_size: int = 512) -> np.ndarray:
    """The k most similar features of each query, by cosine; of equally similar ones the lower index first.

    Args:
      features: (N, D), normalised here; it may be a memory map of any length.
      queries: (M, D), normalised here.
      k: how many; N at most.
      block_size: queries that are compared at a time.

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
    return _search(features, queries, min(k, len(features)), block_size)[1]


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


def _search(bank: np.ndarray, queries: np.ndarray, k: int, block_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Similarities and rows (M, k) of the nearest rows of the bank, which is read once, a block at a time."""
    block_size, bank_size = min(block_size, len(queries)), min(TRAIN_BLOCK, len(bank))
    asked = [_filled(queries, start, block_size) for start in range(0, len(queries), block_size)]
    nothing = jnp.full((block_size, k), -jnp.inf), jnp.zeros((block_size, k), jnp.int32)
    best = [nothing] * len(asked)
    for start in range(0, len(bank), bank_size):
        block = _filled(bank, start, bank_size)
        best = [_merge(found, query, block, start, len(bank), k=k) for found, query in zip(best, asked)]
        jax.block_until_ready(best)  # or the blocks to come would all wait on the device
    parts = zip(*jax.device_get(best))
    similarities, rows = (np.concatenate(part)[: len(queries)] for part in parts)
    return similarities, rows


def _filled(rows: np.ndarray, start: int, size: int) -> jax.Array:
    """``size`` normalised rows from ``start`` on; those after the last one are zero, so that one program does for all."""
    part = np.asarray(rows[start : start + size], np.float32)
    return l2_normalize(jnp.asarray(np.pad(part, ((0, size - len(part)), (0, 0)))))


@functools.partial(jax.jit, static_argnames="k")
def _merge(best, queries, block, start, length, *, k):
    """The k best of those so far and one block; on ties the earlier, as top_k prefers the lower index."""
    rows = start + jnp.arange(len(block))
    scores = jnp.einsum("md,nd->mn", queries, block, precision="highest")
    scores, index = jax.lax.top_k(jnp.where((rows < length)[None], scores, -jnp.inf), min(k, len(block)))
    scores = jnp.concatenate([best[0], scores], 1)
    rows = jnp.concatenate([best[1], rows[index]], 1)
    scores, index = jax.lax.top_k(scores, k)
    return scores, jnp.take_along_axis(rows, index, 1)


@functools.partial(jax.jit, static_argnames="num_classes")
def _weigh(scores, classes, temperature, *, num_classes):
    weights = jnp.exp((scores - scores[:, :1]) / temperature)

    def add(total, vote):  # one neighbour at a time: the same sum on every run, and no (M, k, C) array
        weight, label = vote
        return total + jnp.where(label[:, None] == jnp.arange(num_classes)[None], weight[:, None], 0.0), None

    total, _ = jax.lax.scan(add, jnp.zeros((len(scores), num_classes)), (weights.T, classes.T))
    return total
