"""The covariance spectrum and its effective rank, and what they see that RankMe does not."""

import golden
import numpy as np
import pytest

from jssl import diagnostics


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("representation_metrics"))
def test_the_spectrum_is_that_of_the_reference(name):
    case = golden.load("representation_metrics", name)
    reference = case.out["eigenvalues"]
    found = diagnostics.spectrum(case.inputs["emb"])[: len(reference)]
    np.testing.assert_allclose(found, reference[: len(found)], rtol=1e-5, atol=1e-6 * reference[0])


def test_effective_rank_counts_directions_whatever_the_mean_is():
    rng = np.random.default_rng(0)
    plane = np.zeros((500, 16))
    plane[:, :4] = np.linalg.qr(rng.normal(size=(500, 4)))[0]
    plane -= plane.mean(0)
    for offset in (0.0, 50.0):
        assert diagnostics.effective_rank(plane + offset) == pytest.approx(4.0, rel=0.01)
    assert float(diagnostics.rankme(plane + 50)) < 1.2
    assert diagnostics.effective_rank(np.ones((8, 3))) == 1.0


def test_more_dimensions_than_examples():
    assert diagnostics.spectrum(np.eye(4, 9)).shape == (4,)
    assert diagnostics.effective_rank(np.eye(4, 9)) == pytest.approx(3.0, rel=1e-3)  # centring takes one


def test_features_that_are_none_are_refused():
    with pytest.raises(ValueError, match=r"\(N, D\) features with N > 1, not \(1, 3\)"):
        diagnostics.spectrum(np.ones((1, 3)))
