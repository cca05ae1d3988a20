"""The denoising loss against its formula in float64, with gradient, on one device and on four."""

import functools

import jax
import numpy as np
import on_devices
import pytest

from jssl.objectives import denoising_loss, mae_loss

GENERATOR = np.random.default_rng(0)
PREDICTION, TARGET = GENERATOR.normal(size=(2, 4, 3, 5, 2)).astype(np.float32)


def weighted(prediction, target, weights, *, axis_name=None):
    return denoising_loss(prediction, target, weights=weights, axis_name=axis_name)


@functools.cache
def on_one_device():
    return jax.jit(jax.value_and_grad(weighted))


def check(loss, grad, weights):
    """Sum of w |x - t|^2 over the places and values, divided by how many values the weights stand for."""
    full = np.broadcast_to(weights.reshape(weights.shape + (1,) * (4 - weights.ndim)), TARGET.shape).astype(np.float64)
    error = PREDICTION.astype(np.float64) - TARGET
    np.testing.assert_allclose(loss, (full * error**2).sum() / full.sum(), rtol=1e-5)
    np.testing.assert_allclose(grad, 2 * full * error / full.sum(), rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("axes", [1, 3])
def test_formula(axes):
    weights = GENERATOR.uniform(size=TARGET.shape[:axes]).astype(np.float32)
    check(*on_one_device()(PREDICTION, TARGET, weights), weights)


def test_devices_with_different_numbers_of_corrupted_places():
    weights = np.array([[1, 1, 1], [0, 0, 0], [1, 0, 0], [1, 1, 0]], np.float32)
    loss, (grad,) = on_devices.value_and_grad(weighted, 4, (PREDICTION, TARGET, weights), (0, 0, 0), (0,))
    check(loss, grad, weights)
    assert not np.any(grad[1])


def test_no_weights_is_equal_weights():
    ones = np.ones(TARGET.shape[:2], np.float32)
    loss = denoising_loss(PREDICTION, TARGET)
    check(loss, jax.grad(denoising_loss)(PREDICTION, TARGET), ones)
    np.testing.assert_allclose(loss, on_one_device()(PREDICTION, TARGET, ones[:, 0])[0], rtol=1e-6)


def test_nothing_corrupted_is_zero():
    loss, grad = on_one_device()(PREDICTION, TARGET, np.zeros(4, np.float32))
    assert loss == 0 and not np.any(grad)


def test_of_masked_patches_it_is_the_loss_of_mae():
    patches = [x.reshape(4, 3, 10) for x in (PREDICTION, TARGET)]
    mask = np.array([[1, 1, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]], np.float32)
    expected = mae_loss(*patches, mask, normalize_targets=False)
    np.testing.assert_allclose(denoising_loss(*patches, weights=mask), expected, rtol=1e-6)


def test_wrong_weights():
    with pytest.raises(ValueError, match=r"\(3,\).*\(4, 3, 5, 2\)"):
        denoising_loss(PREDICTION, TARGET, weights=np.ones(3, np.float32))
