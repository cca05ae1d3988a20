"""VICReg against the authors' code; over devices in test_statistics.py."""

import golden
import jax
import numpy as np
import pytest

from jssl.objectives import vicreg_loss

WEIGHTS = {"invariance": "sim_coeff", "variance": "std_coeff", "covariance": "cov_coeff"}


@jax.jit
def value_and_grad(view_a, view_b, weights):
    return jax.value_and_grad(lambda a, b: vicreg_loss(a, b, **weights), (0, 1))(view_a, view_b)


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("vicreg"))
def test_matches_vicreg(name):
    case = golden.load("vicreg", name)
    x, y = case.inputs["x"], case.inputs["y"]
    weights = {name: np.float32(case.hyper[key]) for name, key in WEIGHTS.items()}
    loss, grads = value_and_grad(x, y, weights)
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    golden.assert_grad(grads[0], case.grad["x"], case.tolerance)
    golden.assert_grad(grads[1], case.grad["y"], case.tolerance)
    for term, key in {"invariance": "sim", "variance": "std", "covariance": "cov"}.items():
        alone, _ = value_and_grad(x, y, {name: np.float32(name == term) for name in WEIGHTS})
        golden.assert_loss(alone, case.out[key], case.tolerance)
