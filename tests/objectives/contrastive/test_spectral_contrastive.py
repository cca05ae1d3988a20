"""The spectral contrastive loss against the authors' code, and where its clip starts."""

import functools

import golden
import jax
import numpy as np
import pytest

from jssl.objectives import spectral_contrastive_loss


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("spectral_contrastive"))
def test_matches_spectral_contrastive(name):
    case = golden.load("spectral_contrastive", name)
    function = functools.partial(spectral_contrastive_loss, mu=case.hyper["mu"])
    loss, grads = jax.jit(jax.value_and_grad(function, (0, 1)))(case.inputs["z1"], case.inputs["z2"])
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    golden.assert_grad(grads[0], case.grad["z1"], case.tolerance)
    golden.assert_grad(grads[1], case.grad["z2"], case.tolerance)


def test_rows_are_clipped_and_not_normalised():
    a, b = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))  # of length 1, to be clipped at 2
    function = functools.partial(spectral_contrastive_loss, mu=4.0)
    np.testing.assert_allclose(function(3 * a, 9 * b), function(2 * a, 2 * b), rtol=1e-5)
    products = a.astype(np.float64) @ b.T
    negatives = np.sum(np.square(products)[~np.eye(4, dtype=bool)]) / 12
    np.testing.assert_allclose(function(a, b), (negatives - 2 * np.mean(np.diag(products))) / 4, rtol=1e-5)


def test_mu_is_checked():
    with pytest.raises(ValueError, match="mu must be above 0, got 0"):
        spectral_contrastive_loss(np.ones((2, 4), np.float32), np.ones((2, 4), np.float32), mu=0)
