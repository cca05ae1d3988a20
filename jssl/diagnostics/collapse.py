"""Measures of collapse: how much of the feature space (N, D) embeddings use, in numbers that need no labels.

``feature_std``, ``mean_cosine``, ``alignment``, ``uniformity`` and ``rankme`` are jax functions and may be jitted.
``alpha_req`` and ``lidar`` solve eigenproblems in float64 on the host. ``summary`` is what a training loop logs.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.objectives import alignment, l2_normalize, uniformity

__all__ = ["alignment", "alpha_req", "feature_std", "lidar", "mean_cosine", "rankme", "summary", "uniformity"]


def _float(features):
    features = jnp.asarray(features)
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"collapse is measured on (N, D) features with N > 1, not {features.shape}")
    return features.astype(jnp.float32)


def _normalize(features):
    return l2_normalize(_float(features))


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


def rankme(features, *, epsilon: float = 1e-7) -> jax.Array:
    """Effective rank exp(-sum p log p), p = sigma / sum sigma + epsilon, of the uncentred (N, D) matrix.

    Args:
      features: (N, D); as they are, neither centred nor normalised.
      epsilon: of the paper; the code of stable-pretraining uses 1e-5.

    Returns:
      float32 scalar between 1 (one direction) and min(N, D).

    >>> round(float(rankme(np.eye(4))), 3)
    4.0

    References: Garrido et al. 2023, arXiv:2210.02885.
    """
    singular_values = jnp.linalg.svd(_float(features), compute_uv=False)
    p = singular_values / jnp.maximum(singular_values.sum(), 1e-30) + epsilon
    return jnp.exp(-jnp.sum(p * jnp.log(p)))


def alpha_req(features, *, fit_from: int = 10, fit_to: int | None = None) -> float:
    """Decay exponent of the PCA spectrum, lambda_k ~ k^-alpha, by a log-log fit with weights 1 / k.

    Near 1 is good; large is a few dominant directions, small is noise in all of them.

    Args:
      features: (N, D); centred here.
      fit_from: ranks left out at the start.
      fit_to: the last rank of the fit; by default every positive eigenvalue up to 500.

    Returns:
      alpha.

    Raises:
      ValueError: fewer than two ranks to fit.

    >>> spectrum = np.arange(1, 31) ** -0.5
    >>> round(alpha_req(np.concatenate([np.diag(spectrum), -np.diag(spectrum)])), 3)
    1.0

    References: Agrawal et al. 2022 (alpha-ReQ, NeurIPS); the fit is that of Stringer et al. 2019.
    """
    features = np.asarray(features, np.float64)
    singular_values = np.linalg.svd(features - features.mean(0), compute_uv=False)
    eigenvalues = singular_values**2 / (len(features) - 1)
    if fit_to is None:
        fit_to = min(500, int(np.sum(eigenvalues > 1e-12 * eigenvalues[0])))
    ranks = np.arange(fit_from + 1, min(fit_to, len(eigenvalues)) + 1)
    if len(ranks) < 2:
        raise ValueError(
            f"alpha-ReQ fits ranks {fit_from + 1} to {fit_to} and needs two; lower fit_from or add features"
        )
    x, y, weight = np.log(ranks), np.log(np.maximum(eigenvalues[ranks - 1], 1e-300)), 1.0 / ranks
    x, y = x - np.average(x, weights=weight), y - np.average(y, weights=weight)
    return float(-np.sum(weight * x * y) / np.sum(weight * x * x))


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
    rows = _float(np.asarray(features)[:: -(-len(features) // max_rows)])
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
