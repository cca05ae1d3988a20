"""L2 normalisation where it is delicate."""

import jax
import ml_dtypes
import numpy as np
import pytest

from jssl.objectives import l2_normalize


@pytest.mark.parametrize("axis", [0, -1])
def test_unit_length(axis):
    x = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    expected = x / np.linalg.norm(x.astype(np.float64), axis=axis, keepdims=True)
    np.testing.assert_allclose(l2_normalize(x, axis=axis), expected, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e15])
def test_scale_does_not_matter(scale):
    x = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    np.testing.assert_allclose(l2_normalize(scale * x), l2_normalize(x), rtol=1e-5)


def test_zero_vector():
    x = np.zeros((1, 4), np.float32)
    assert not np.any(l2_normalize(x))
    assert np.isfinite(jax.grad(lambda x: l2_normalize(x).sum())(x)).all()


def test_half_precision_is_computed_in_float32():
    x = np.full((1, 4096), 300.0, np.float16)  # the squares alone overflow float16
    np.testing.assert_allclose(l2_normalize(x), np.full((1, 4096), 1 / 64), rtol=1e-6)
    x = np.random.default_rng(0).normal(size=(3, 8)).astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(l2_normalize(x), l2_normalize(x.astype(np.float32)))


def test_gradient_is_orthogonal_to_the_vector():
    x, direction = np.random.default_rng(0).normal(size=(2, 8)).astype(np.float32)
    grad = jax.grad(lambda x: l2_normalize(x) @ direction)(x)
    assert abs(grad @ x) < 1e-6
    assert np.any(grad)
