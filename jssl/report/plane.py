"""Features in the plane: by their principal components, and by UMAP where it is installed."""

import importlib.util

import numpy as np

__all__ = ["places"]


def places(features: np.ndarray) -> dict[str, tuple[np.ndarray, str]]:
    """Where each example is drawn.

    Args:
      features: (N, D) float32, N > 2.

    Returns:
      Title -> ((N, 2) places, how they were found, in words). UMAP's only where umap-learn is installed (``jssl[umap]``); its
      distances mean little, what lies together does.

    >>> [title for title in places(np.eye(8, dtype=np.float32)) if title != "Features by UMAP"]
    ['Features in the plane']

    References: McInnes et al. 2018, arXiv:1802.03426 (UMAP).
    """
    left, singular_values, _ = np.linalg.svd(features - features.mean(0), full_matrices=False)
    variances = singular_values**2
    share = float(variances[:2].sum() / np.maximum(variances.sum(), 1e-30))
    told = f"by the first two principal components of their features, which hold {share:.0%} of the variance"
    found = {"Features in the plane": (left[:, :2] * singular_values[:2], told)}
    if importlib.util.find_spec("umap"):
        import umap

        neighbours = min(15, len(features) - 1)
        made = umap.UMAP(n_neighbors=neighbours, metric="cosine", random_state=0, n_jobs=1).fit_transform(features)
        told = f"by UMAP of their features: who is among the {neighbours} nearest to whom by cosine"
        found["Features by UMAP"] = np.asarray(made), told
    return found
