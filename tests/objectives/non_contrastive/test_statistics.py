"""Losses of feature statistics: these are of the global batch, and exact far from the origin."""

import functools

import golden
import numpy as np
import on_devices
import pytest

from jssl.objectives import barlow_twins_loss, spectral_contrastive_loss, vicreg_loss


def _function(loss, hyper):
    if loss == "barlow":
        return functools.partial(barlow_twins_loss, off_diagonal_weight=hyper["barlow_lambd"])
    return functools.partial(vicreg_loss, **dict(zip(("invariance", "variance", "covariance"), hyper["vicreg"])))


@pytest.mark.golden
@pytest.mark.parametrize("devices", [*(pytest.param(n, marks=pytest.mark.slow) for n in (2, 4)), 8])
@pytest.mark.parametrize("name", golden.cases("sharded_global_batch"))
@pytest.mark.parametrize("loss", ["barlow", "vicreg"])
def test_statistics_are_global(loss, name, devices):
    case = golden.load("sharded_global_batch", name)
    views = [case.inputs[key].reshape(-1, case.hyper["D"]) for key in ("a", "b")]
    if len(views[0]) % devices:
        assert (name, devices) == ("c01", 8)  # 12 examples: the only pair that cannot be split
        devices = 6
    value, grads = on_devices.value_and_grad(_function(loss, case.hyper), devices, views, (0, 0), (0, 1))
    tolerance = {"grad_atol": 1e-8, **case.tolerance}
    golden.assert_loss(value, case.out[f"loss_{loss}"], tolerance)
    for key, grad in zip("ab", grads):
        golden.assert_grad(grad, case.out[f"grad_{loss}_{key}"].reshape(grad.shape), tolerance)


@pytest.mark.parametrize("function", [barlow_twins_loss, vicreg_loss])
def test_a_common_offset_does_not_matter(function):
    """The variance is that of centred values: as a difference of two large means it would be lost to rounding."""
    views = np.random.default_rng(0).normal(size=(2, 8, 4)).astype(np.float16).astype(np.float32)
    np.testing.assert_allclose(function(*(views + 1024.0)), function(*views), rtol=1e-3)


@pytest.mark.parametrize("function", [barlow_twins_loss, vicreg_loss, spectral_contrastive_loss])
def test_one_example_has_no_statistics(function):
    x = np.ones((1, 4), np.float32)
    with pytest.raises(ValueError, match="at least two examples in the global batch, got 1"):
        function(x, x)
