"""The KoLeo loss against the authors' code, on one device and over the global batch."""

import golden
import jax
import numpy as np
import on_devices
import pytest

from jssl.objectives import koleo_loss


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("koleo"))
def test_matches_koleo(name):
    case = golden.load("koleo", name)
    loss, grad = jax.jit(jax.value_and_grad(koleo_loss))(case.inputs["x"])
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    golden.assert_grad(grad, case.grad["x"], case.tolerance)


@pytest.mark.golden
@pytest.mark.parametrize(("name", "devices"), [("c00", 2), ("c00", 4), ("c00", 8), ("c01", 6)])
def test_neighbours_are_global(name, devices):
    case = golden.load("sharded_global_batch", name)
    features = case.inputs["a"].reshape(-1, case.hyper["D"])
    tolerance = {"grad_atol": 1e-8, **case.tolerance}
    loss, (grad,) = on_devices.value_and_grad(koleo_loss, devices, (features,), (0,), (0,))
    golden.assert_loss(loss, case.out["loss_koleo"], tolerance)
    golden.assert_grad(grad, case.out["grad_koleo_a"].reshape(features.shape), tolerance)


def test_one_example_has_no_neighbour():
    with pytest.raises(ValueError, match=r"one example has no neighbour, features have shape \(1, 4\)"):
        koleo_loss(np.ones((1, 4), np.float32))
