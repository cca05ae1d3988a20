"""How many directions features vary in, and how fast the variance falls from one to the next."""

import jax
import jax.numpy as jnp
import numpy as np

from jssl.diagnostics._rows import check, rows_of

__all__ = ["alpha_req", "effective_rank", "rankme", "spectrum"]


def spectrum(features) -> np.ndarray:
    """Eigenvalues of the covariance of (N, D) features, largest first: the variance along each principal direction.

    Solved in float64 on the host.

    Args:
      features: (N, D); centred here, not normalised.

    Returns:
      (min(N, D),) float64, N - 1 in the denominator.

    Raises:
      ValueError: another number of axes, or fewer than two rows.

    >>> spectrum(np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])).round(2).tolist()
    [6.0, 0.67]
    """
    check(features)
    rows = np.asarray(features, np.float64)
    singular_values = np.linalg.svd(rows - rows.mean(0), compute_uv=False)
    return singular_values**2 / (len(rows) - 1)


def effective_rank(features) -> float:
    """exp(-sum p log p), p the share of each singular value of the *centred* (N, D) matrix.

    RankMe asks the same of the matrix as it is: where all features share a large mean, that one direction hides the others
    there, and not here.

    Args:
      features: (N, D); centred here, not normalised.

    Returns:
      Between 1 and min(N, D); 1 for features that do not vary.

    Raises:
      ValueError: see ``spectrum``.

    >>> cross = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> round(effective_rank(cross), 3), round(effective_rank(cross + 1000), 3), round(float(rankme(cross + 1000)), 1)
    (2.0, 2.0, 1.0)

    References: Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality".
    """
    singular_values = np.sqrt(spectrum(features))
    if not singular_values.any():
        return 1.0
    p = singular_values[singular_values > 0] / singular_values.sum()
    return float(np.exp(-np.sum(p * np.log(p))))


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
    singular_values = jnp.linalg.svd(rows_of(features), compute_uv=False)
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

    >>> values = np.arange(1, 31) ** -0.5
    >>> round(alpha_req(np.concatenate([np.diag(values), -np.diag(values)])), 3)
    1.0

    References: Agrawal et al. 2022 (alpha-ReQ, NeurIPS); the fit is that of Stringer et al. 2019.
    """
    eigenvalues = spectrum(features)
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
