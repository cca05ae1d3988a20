"""The BYOL regression against the authors' code."""

import golden
import jax
import numpy as np
import pytest

from jssl.objectives import byol_loss


def both_directions(p1, p2, z1, z2):
    return byol_loss(p1, z2) + byol_loss(p2, z1)


value_and_grad = jax.jit(jax.value_and_grad(both_directions, (0, 1)))


@pytest.mark.golden
@pytest.mark.parametrize("name", [name for name in golden.cases("byol") if name.startswith("c")])  # e*: schedules
def test_matches_byol(name):
    case = golden.load("byol", name)
    loss, grads = value_and_grad(*[case.inputs[key] for key in ("p1", "p2", "z1", "z2")])
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    golden.assert_grad(grads[0], case.grad["p1"], case.tolerance)
    golden.assert_grad(grads[1], case.grad["p2"], case.tolerance)


def test_small_distances_do_not_cancel():
    """2 - 2 cos would round to zero where the views almost agree."""
    x = np.array([[1.0, 0.0]], np.float32)
    y = np.array([[1.0, 1e-4]], np.float32)
    np.testing.assert_allclose(byol_loss(x, y), 1e-8, rtol=1e-4)
