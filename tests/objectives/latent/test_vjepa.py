"""The V-JEPA loss against the authors' code, and its weights."""

import functools

import golden
import jax
import numpy as np
import on_devices
import pytest

from jssl.objectives import jepa_loss, vjepa_loss

CASES = [name for name in golden.cases("vjepa") if name.startswith("c")]  # p*: position tables


def arrays(case):
    return [case.out[f"{kind}_{pair}"].astype(np.float32) for pair in range(2) for kind in "zh"]


def flat(z1, h1, z2, h2, **options):
    return vjepa_loss([z1, z2], [h1, h2], **options)


@pytest.mark.golden
@pytest.mark.parametrize("devices", [None, 2])
@pytest.mark.parametrize("name", CASES)
def test_matches_vjepa(name, devices):
    case = golden.load("vjepa", name)
    options = {"exponent": case.hyper["loss_exp"], "variance_weight": case.hyper["reg_coeff"]}
    function = functools.partial(flat, **options)
    if devices is None:
        loss, grads = jax.jit(jax.value_and_grad(function, (0, 2)))(*arrays(case))
    else:
        loss, grads = on_devices.value_and_grad(function, devices, arrays(case), (0,) * 4, (0, 2))
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    # The predictor's last layer ends in this bias: its gradient is the predictions', summed over pairs and tokens.
    bias = sum(np.asarray(grad).sum(axis=(0, 1)) for grad in grads)
    golden.assert_grad(bias, case.grad["pred/predictor_proj.bias"], case.tolerance)


@pytest.mark.golden
@pytest.mark.parametrize("name", CASES)
def test_matches_the_terms_apart(name):
    case = golden.load("vjepa", name)
    plain = flat(*arrays(case), exponent=case.hyper["loss_exp"])
    golden.assert_loss(plain, case.out["loss_jepa"], case.tolerance)
    both = flat(*arrays(case), exponent=case.hyper["loss_exp"], variance_weight=1.0)
    golden.assert_loss(both - plain, case.out["loss_reg"], case.tolerance)


def test_one_mask_without_weights_is_the_l1_of_ijepa():
    prediction, target = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_allclose(vjepa_loss([prediction], [target]), jepa_loss(prediction, target, beta=0.0), rtol=1e-6)


def test_padding_has_no_influence_and_does_not_count():
    rng = np.random.default_rng(0)
    prediction, target = rng.normal(size=(2, 2, 4, 5)).astype(np.float32)
    weights = np.array([[0.5, 2.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]], np.float32)
    function = functools.partial(vjepa_loss, weights=[weights], exponent=2.0, variance_weight=0.3)
    loss = function([prediction], [target])
    expected = 0.0
    for b, count in ((0, 2), (1, 3)):
        z, h = prediction[b, :count].astype(np.float64), target[b, :count]
        expected += (weights[b, :count] * (((z - h) ** 2).mean(-1) / 2)).sum() / count / 2
        expected += 0.3 * np.maximum(1 - np.sqrt(z.var(0, ddof=1) + 1e-4), 0).mean() / 2
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    prediction[weights == 0] = 100.0
    assert function([prediction], [target]) == loss


def test_wrong_arguments():
    x, y = np.zeros((2, 3, 4), np.float32), np.zeros((2, 5, 4), np.float32)
    with pytest.raises(ValueError, match=r"\(2, 3, 4\).*\(2, 5, 4\)"):
        vjepa_loss([x], [y])
    with pytest.raises(ValueError, match="1 predictions and 2 targets"):
        vjepa_loss([x], [x, x])
    with pytest.raises(ValueError, match="2 predictions and 1 weights"):
        vjepa_loss([x, y], [x, y], weights=[x[..., 0]])
    with pytest.raises(ValueError, match=r"\(2, 5\).*\(2, 3, 4\)"):
        vjepa_loss([x], [x], weights=[y[..., 0]])
    with pytest.raises(ValueError, match="exponent must be at least 1, got 0.5"):
        vjepa_loss([x], [x], exponent=0.5)
