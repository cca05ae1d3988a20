"""Features in the plane."""

import importlib.util
import sys
import types

import numpy as np
import pytest

from jssl.report.plane import places

FEATURES = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32) * np.array([9, 3, 1, 1, 1], np.float32)


@pytest.mark.parametrize("installed", [False, True])
def test_umap_stands_beside_the_principal_components_where_it_is_installed(installed, monkeypatch):
    def spec(name):
        return object() if installed and name == "umap" else None

    class UMAP:
        def __init__(self, *, n_neighbors, **options):
            self.n_neighbors = n_neighbors

        def fit_transform(self, features):
            return features[:, :2] * self.n_neighbors

    monkeypatch.setattr(importlib.util, "find_spec", spec)
    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=UMAP))
    found = places(FEATURES)
    assert list(found) == ["Features in the plane", *["Features by UMAP"] * installed]
    by_pca, told = found["Features in the plane"]
    variances = np.linalg.eigvalsh(np.cov(FEATURES.T))[::-1]
    np.testing.assert_allclose(by_pca.var(0, ddof=1), variances[:2], rtol=1e-4)
    assert f"{variances[:2].sum() / variances.sum():.0%} of the variance" in told
    if installed:
        np.testing.assert_array_equal(found["Features by UMAP"][0], FEATURES[:, :2] * 15)
