"""Patches and the masked reconstruction loss against the authors' code."""

import functools

import golden
import jax
import jax.numpy as jnp
import numpy as np
import on_devices
import pytest

from jssl.objectives import mae_loss, patchify

CASES = [name for name in golden.cases("mae") if name.startswith("c")]  # p*: position tables, not a loss


def _arrays(case):
    return [case.out[key].astype(np.float32) for key in ("pred", "patches", "mask")]


@pytest.mark.golden
@pytest.mark.parametrize("name", CASES)
def test_matches_mae(name):
    case = golden.load("mae", name)
    prediction, target, mask = _arrays(case)
    bias = np.zeros(prediction.shape[-1], np.float32)

    def loss_of(bias):  # the last layer of the decoder ends in this bias: its gradient is the prediction's, summed
        shifted = prediction + bias[None, None, :]
        return mae_loss(shifted, target, mask, normalize_targets=case.hyper["norm_pix_loss"])

    loss, grad = jax.jit(jax.value_and_grad(loss_of))(bias)
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    golden.assert_grad(grad, case.grad["param/decoder_pred.bias"], case.tolerance)


@pytest.mark.golden
@pytest.mark.parametrize("name", CASES)
def test_matches_mae_on_devices(name):
    case = golden.load("mae", name)
    arrays = _arrays(case)
    function = functools.partial(mae_loss, normalize_targets=case.hyper["norm_pix_loss"])
    loss, (grad,) = on_devices.value_and_grad(function, case.hyper["B"], arrays, (0, 0, 0), (0,))
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    golden.assert_grad(grad.sum(axis=(0, 1)), case.grad["param/decoder_pred.bias"], case.tolerance)


@pytest.mark.golden
@pytest.mark.parametrize("name", CASES)
def test_patch_order_matches_mae(name):
    case = golden.load("mae", name)
    images, patch_size = case.inputs["imgs"].transpose(0, 2, 3, 1), case.hyper["patch_size"]
    patches = patchify(images, patch_size=patch_size)
    np.testing.assert_array_equal(patches, case.out["patches"])


def test_devices_may_hold_different_numbers_of_masked_patches():
    prediction, target = np.random.default_rng(0).normal(size=(2, 4, 3, 2)).astype(np.float32)
    mask = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0]], bool)
    function = functools.partial(mae_loss, normalize_targets=False)
    loss, _ = on_devices.value_and_grad(function, 4, (prediction, target, mask), (0, 0, 0), (0,))
    expected = np.mean(np.square(prediction.astype(np.float64) - target)[mask])
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


def test_nothing_masked_is_zero_not_nan():
    x = jnp.ones((2, 3, 4))
    loss, grad = jax.value_and_grad(functools.partial(mae_loss, normalize_targets=True))(x, 2 * x, jnp.zeros((2, 3)))
    assert loss == 0
    assert not np.any(grad)


def test_visible_patches_get_no_gradient():
    prediction, target = np.random.default_rng(0).normal(size=(2, 1, 3, 4)).astype(np.float32)
    grad = jax.grad(functools.partial(mae_loss, normalize_targets=False))(prediction, target, np.array([[1, 0, 1]]))
    assert np.any(grad[0, 0]) and np.any(grad[0, 2])
    assert not np.any(grad[0, 1])


def test_patches_of_images_that_are_not_square():
    images = np.arange(2 * 3 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 3, 4, 6, 3)
    patches = patchify(images, patch_size=2)
    assert patches.shape == (2, 3, 6, 12)
    assert patches.dtype == np.uint8
    np.testing.assert_array_equal(patches[1, 2, 4], images[1, 2, 2:4, 2:4].reshape(-1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: patchify(np.zeros((2, 5, 4, 3)), patch_size=2), "5x4 cannot be cut into patches of 2"),
        (lambda: patchify(np.zeros((2, 4, 5, 3)), patch_size=2), "4x5 cannot be cut into patches of 2"),
        (lambda: patchify(np.zeros((4, 4)), patch_size=2), r"\(4, 4\)"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
