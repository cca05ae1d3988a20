"""A few of the labels: which examples keep theirs."""

import numpy as np

__all__ = ["choose"]


def choose(labels, amount: str, *, seed: int) -> np.ndarray:
    """Rows of the examples that keep their label, drawn class by class, at least one of each.

    Args:
      labels: (N,) integers.
      amount: "1%", a share of every class, or "10", so many of every class; no more than there are.
      seed: of the draw.

    Returns:
      (n,) ascending.

    Raises:
      ValueError: an amount that is neither.

    >>> choose(np.array([0, 1, 0, 1, 0, 0]), "2", seed=0)
    array([0, 1, 3, 4])
    """
    labels, rng = np.asarray(labels), np.random.default_rng(seed)
    number, percent, _ = amount.partition("%")
    try:
        value = float(number) if percent else int(number)
    except ValueError:
        value = 0
    if value <= 0 or (percent and value > 100):
        raise ValueError(f"few_labels: n={amount} is no number of labels; use 10 for ten of every class, or 1% of them")
    chosen = []
    for name in np.unique(labels):
        rows = np.flatnonzero(labels == name)
        count = max(1, round(len(rows) * value / 100)) if percent else int(value)
        chosen.append(rng.permutation(rows)[:count])
    return np.sort(np.concatenate(chosen))
