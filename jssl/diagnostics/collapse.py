"""Measures of collapse: how much of the feature space (N, D) embeddings use, in numbers that need no labels.

``feature_std``, ``mean_cosine``, ``alignment`` and ``uniformity`` are jax functions and may be jitted. ``lidar`` solves an
eigenproblem in float64 on the host. ``summary`` is what a training loop logs.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.diagnostics._rows import rows_of
from jssl.diagnostics.directions import rankme
from jssl.objectives import alignment, l2_normalize, uniformity

__all__ = ["alignment", "feature_std", "lidar", "mean_cosine", "summary", "uniformity"]


def _normalize(features):
    return l2_normalize(rows_of(features))


def feature_std(features) -> jax.Array:
    """sqrt(D) times the mean deviation per dimension of L2-normalised rows: 1 on an isotropic sphere, 0 collapsed.

    Args:
      features: (N, D).

    Returns:
      float32 scalar in [0, 1].

    >>> float(feature_std(np.ones((4, 3))))
    0.0

    References: Chen and He 2021, arXiv:2011.10566, section 4.1 (which reads 1 / sqrt(D) where this reads 1).
    """
    rows = _normalize(features)
    return jnp.std(rows, 0).mean() * rows.shape[1] ** 0.5


def mean_cosine(features) -> jax.Array:
    """Mean cosine similarity of two different rows: 0 spread out, 1 collapsed to a point.

    Args:
      features: (N, D).

    Returns:
      float32 scalar.

    >>> float(mean_cosine(np.ones((4, 4))))
    1.0
    """
    rows = _normalize(features)
    n = len(rows)
    # ||sum of rows||^2 holds every pair and the n rows with themselves: no N x N matrix.
    return (jnp.sum(rows.sum(0) ** 2) - jnp.sum(rows**2)) / (n * (n - 1))


def lidar(features, *, delta: float = 1e-4, epsilon: float = 1e-8) -> float:
    """Effective rank of linear discriminant analysis, where each image is a class and its views are the samples.

    Eigenvalues l of Sw^(-1/2) Sb Sw^(-1/2), p = (l + epsilon) / sum, exp(-sum p log p); between-class scatter Sb over
    n - 1, within-class scatter Sw over n (q - 1), plus delta I.

    Args:
      features: (n, q, D), q > 1 views of each of n images.
      delta: regularises Sw.
      epsilon: keeps the logarithm finite.

    Returns:
      LiDAR, between 1 and D.

    Raises:
      ValueError: another number of axes, or fewer than two images or views.

    References: Thilak et al. 2023, arXiv:2312.04000.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 3 or min(features.shape[:2]) < 2:
        raise ValueError(f"LiDAR takes (images, views, D) with at least two of each, not {features.shape}")
    n, q, dimension = features.shape
    means = features.mean(1)
    between = means - means.mean(0)
    within = (features - means[:, None]).reshape(-1, dimension)
    scatter_within = within.T @ within / (n * (q - 1)) + delta * np.eye(dimension)
    values, vectors = np.linalg.eigh(scatter_within)
    whitened = between @ (vectors / np.sqrt(values)) / np.sqrt(n - 1)
    # Singular values of the whitened class means: their squares are the eigenvalues, and never negative.
    eigenvalues = np.zeros(dimension)
    singular_values = np.linalg.svd(whitened, compute_uv=False)
    eigenvalues[: len(singular_values)] = singular_values**2
    p = (eigenvalues + epsilon) / np.sum(eigenvalues + epsilon)
    return float(np.exp(-np.sum(p * np.log(p))))


def summary(features, *, max_rows: int = 2048) -> dict[str, float]:
    """The measures that are cheap enough for every evaluation, on evenly spaced rows.

    Args:
      features: (N, D).
      max_rows: rows used at most.

    Returns:
      dict of floats: ``feature_std``, ``mean_cosine``, ``rankme``, ``uniformity`` (of normalised rows) and
      ``dead_dimensions``, the share of dimensions that do not vary.

    >>> sorted(summary(np.ones((4, 3))))
    ['dead_dimensions', 'feature_std', 'mean_cosine', 'rankme', 'uniformity']
    """
    rows = rows_of(np.asarray(features)[:: -(-len(features) // max_rows)])
    return {name: float(value) for name, value in _summary(rows).items()}


@jax.jit
def _summary(rows):
    return {
        "feature_std": feature_std(rows),
        "mean_cosine": mean_cosine(rows),
        "rankme": rankme(rows),
        "uniformity": uniformity(_normalize(rows)),
        "dead_dimensions": jnp.mean(jnp.std(rows, 0) < 1e-6 * jnp.maximum(jnp.std(rows), 1e-30)),
    }
