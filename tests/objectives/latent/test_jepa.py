"""The I-JEPA loss against the authors' code, and its weights."""

import functools

import golden
import jax
import numpy as np
import on_devices
import pytest

from jssl.objectives import jepa_loss

CASES = [name for name in golden.cases("ijepa") if name.startswith("c")]  # u*: index helpers, not a loss


@pytest.mark.golden
@pytest.mark.parametrize("devices", [None, 4])
@pytest.mark.parametrize("name", CASES)
def test_matches_ijepa(name, devices):
    case = golden.load("ijepa", name)
    prediction, target = (case.out[key].astype(np.float32) for key in ("z", "h"))
    if devices is None:
        loss, grad = jax.jit(jax.value_and_grad(jepa_loss))(prediction, target)
    else:
        loss, (grad,) = on_devices.value_and_grad(jepa_loss, devices, (prediction, target), (0, 0), (0,))
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    # The predictor's last layer ends in this bias: its gradient is the prediction's, summed over tokens.
    golden.assert_grad(grad.sum(axis=(0, 1)), case.grad["pred/predictor_proj.bias"], case.tolerance)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0, 2.0])
def test_smooth_l1(beta):
    difference = np.array([-3.0, -1.0, -0.2, 0.0, 0.1, 0.3, 2.0, 5.0], np.float32)
    size = np.abs(difference.astype(np.float64))
    expected = np.where(size < beta, size**2 / (2 * beta or 1), size - beta / 2)
    for value, reference in zip(difference, expected):
        loss = jepa_loss(np.full((1, 1), value, np.float32), np.zeros((1, 1), np.float32), beta=beta)
        np.testing.assert_allclose(loss, reference, rtol=1e-5, atol=1e-7)


def test_weights_average_within_an_example_first():
    prediction, target = np.random.default_rng(0).normal(size=(2, 3, 2, 4, 5)).astype(np.float32)
    weights = np.random.default_rng(1).uniform(size=(3, 2, 4)) < 0.5
    weights[:, 0, 0], weights[1] = True, False
    weights[1, 1, 2] = True
    tokens = np.abs(prediction.astype(np.float64) - target).mean(axis=-1)
    expected = np.mean([tokens[b][weights[b]].mean() for b in range(3)])
    np.testing.assert_allclose(jepa_loss(prediction, target, weights=weights, beta=0.0), expected, rtol=1e-6)
    np.testing.assert_allclose(
        jepa_loss(prediction, target, weights=7.0 * weights.astype(np.float32), beta=0.0), expected, rtol=1e-6
    )


def test_padding_has_no_influence():
    prediction, target = np.random.default_rng(0).normal(size=(2, 2, 3, 4)).astype(np.float32)
    weights = np.array([[1, 1, 0], [0, 0, 0]], np.int32)
    function = jax.jit(jax.value_and_grad(functools.partial(jepa_loss, weights=weights)))
    loss, grad = function(prediction, target)
    prediction[0, 2] = 100.0
    prediction[1] = 100.0
    assert function(prediction, target)[0] == loss
    assert np.any(grad[0, :2])
    assert not np.any(grad[0, 2]) and not np.any(grad[1])


def test_wrong_arguments():
    x = np.zeros((2, 3, 4), np.float32)
    with pytest.raises(ValueError, match=r"\(2, 4\).*\(2, 3, 4\)"):
        jepa_loss(x, x, weights=np.ones((2, 4), np.float32))
    with pytest.raises(ValueError, match="beta must not be negative, got -1.0"):
        jepa_loss(x, x, beta=-1.0)
