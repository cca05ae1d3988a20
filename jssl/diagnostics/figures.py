"""Every measure that applies to one kind of features."""

import numpy as np

from jssl.diagnostics import agreement, collapse, directions

__all__ = ["measures"]


def measures(features: np.ndarray, crops: np.ndarray | None = None) -> dict[str, float]:
    """The figures of a diagnosis.

    Args:
      features: (N, D) of different examples.
      crops: (n, q, D), q > 1 views of each of n examples; None where there are no views of one example.

    Returns:
      dict of floats: those of ``collapse.summary``, ``effective_rank``, ``largest_share``, the share of the variance along
      the first principal direction, and ``alpha_req``, where there are directions enough to fit. With ``crops`` also ``lidar``,
      ``alignment`` of the first two views (of normalised rows) and ``mutual_information``, between these, in nats.

    >>> sorted(measures(np.random.default_rng(0).normal(size=(64, 4))))[:3]
    ['dead_dimensions', 'effective_rank', 'feature_std']
    """
    found = collapse.summary(features)
    if not np.all(np.isfinite(features)):  # no eigenvalues of these
        return found
    variances = directions.spectrum(features)
    found["effective_rank"] = directions.effective_rank(features)
    found["largest_share"] = float(variances[0] / max(variances.sum(), 1e-300))
    try:
        found["alpha_req"] = directions.alpha_req(features)
    except ValueError:  # too few directions for the slope of a spectrum: the figure is left out
        pass
    if crops is not None and np.all(np.isfinite(crops)):
        pair = crops[:, 0], crops[:, 1]
        found["lidar"] = collapse.lidar(crops)
        found |= agreement.between(*pair)
    return found
