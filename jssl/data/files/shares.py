"""Fair shares of N examples, as their positions."""

import numpy as np

__all__ = ["evenly_spaced", "hold_out", "take_evenly"]


def _rank_in_class(labels: np.ndarray) -> np.ndarray:
    """Position of each example among those of its class, in order."""
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - np.repeat(starts, np.diff(np.r_[starts, len(labels)]))
    return rank


def take_evenly(labels: np.ndarray, limit: int) -> np.ndarray:
    """Positions of the first examples of each class, limit in all, in order.

    >>> take_evenly(np.array([0, 0, 0, 1, 1, 1]), 4)
    array([0, 1, 3, 4])
    """
    if limit < 1:
        raise ValueError(f"limit is {limit}; use at least 1, or leave it out")
    return np.sort(np.argsort(_rank_in_class(np.asarray(labels)), kind="stable")[:limit])


def hold_out(labels: np.ndarray, share: float) -> np.ndarray:
    """Which examples are held out: every so many-th of each class, (N,) bool.

    >>> hold_out(np.array([0, 0, 0, 1, 1, 1]), 0.34)
    array([False, False,  True, False, False,  True])
    """
    rank = _rank_in_class(labels)
    return np.floor((rank + 1) * share + 1e-9) > np.floor(rank * share + 1e-9)


def evenly_spaced(count: int) -> list[int]:
    """Up to 256 of the numbers below count, the first and the last among them.

    >>> evenly_spaced(3), len(evenly_spaced(10_000))
    ([0, 1, 2], 256)
    """
    return np.linspace(0, count - 1, min(256, count)).astype(int).tolist()
