"""Several draws of one figure: their mean, and how far it may be off."""

import statistics
from collections.abc import Callable

from scipy import special

__all__ = ["SUFFIX", "half_width", "over_seeds"]

SUFFIX = "_ci95"
"""Ends the name of the half width of a figure's 95 % interval."""


def half_width(values: list[float]) -> float:
    """Half the width of the 95 % t-interval of the mean of values.

    >>> round(half_width([1.0, 2.0, 3.0]), 3)  # 4.303 / sqrt(3)
    2.484
    """
    count = len(values)
    return float(special.stdtrit(count - 1, 0.975) * statistics.stdev(values) / count**0.5)


def over_seeds(run: Callable[[int], dict[str, float]], seeds: int) -> dict[str, float]:
    """Figures of ``run(0)``, ``run(1)`` and so on: their means, and where there are several seeds the half widths.

    Raises:
      ValueError: no seed.

    >>> over_seeds(lambda seed: {"linear": 0.5 + seed}, 2)["linear"]
    1.0
    """
    if seeds < 1:
        raise ValueError(f"seeds={seeds} gives no figure; use at least 1")
    draws = [run(seed) for seed in range(seeds)]
    if seeds == 1:
        return draws[0]
    found: dict[str, float] = {}
    for name in draws[0]:
        values = [draw[name] for draw in draws]
        found |= {name: statistics.fmean(values), name + SUFFIX: half_width(values)}
    return found
