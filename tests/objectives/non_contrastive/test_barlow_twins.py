"""Barlow Twins against the authors' code; over devices in test_statistics.py."""

import functools

import golden
import jax
import pytest

from jssl.objectives import barlow_twins_loss


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("barlow_twins"))
def test_matches_barlow_twins(name):
    case = golden.load("barlow_twins", name)
    function = functools.partial(barlow_twins_loss, off_diagonal_weight=case.hyper["lambd"])
    loss, grads = jax.jit(jax.value_and_grad(function, (0, 1)))(case.inputs["z1"], case.inputs["z2"])
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    golden.assert_grad(grads[0], case.grad["z1"], case.tolerance)
    golden.assert_grad(grads[1], case.grad["z2"], case.tolerance)
