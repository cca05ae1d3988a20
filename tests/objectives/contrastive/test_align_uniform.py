"""Alignment, uniformity and their sum against the authors' code."""

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.objectives import align_uniform_loss, alignment, uniformity

CASES = golden.cases("align_uniform")


@pytest.mark.golden
@pytest.mark.parametrize("name", CASES)
def test_terms_match_the_authors(name):
    case = golden.load("align_uniform", name)
    alpha, t = case.hyper["alpha"], case.hyper["t"]

    @jax.jit
    def loss(x, y):
        terms = {
            "align": alignment(x, y, alpha=alpha),
            "uniform_x": uniformity(x, t=t),
            "uniform_y": uniformity(y, t=t),
        }
        return terms["align"] + (terms["uniform_x"] + terms["uniform_y"]) / 2, terms

    x, y = jnp.asarray(case.inputs["x"]), jnp.asarray(case.inputs["y"])
    (value, terms), grads = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(x, y)
    golden.assert_loss(value, case.out["loss"], case.tolerance)
    for term, ours in terms.items():
        golden.assert_loss(ours, case.out[term], case.tolerance)
    for name, grad in zip("xy", grads):
        golden.assert_grad(grad, case.grad[name], case.tolerance)


@pytest.mark.golden
@pytest.mark.parametrize("name", CASES)
def test_the_loss_of_longer_rows_is_theirs_on_the_sphere(name):
    case = golden.load("align_uniform", name)
    x, y = (jnp.asarray(case.inputs[k]) for k in "xy")

    def loss(x, y):
        return align_uniform_loss(x, y, alpha=case.hyper["alpha"], t=case.hyper["t"])

    value, grads = jax.jit(jax.value_and_grad(loss, (0, 1)))(x, y)
    golden.assert_loss(value, case.out["loss"], case.tolerance)
    for name, grad, point in zip("xy", grads, (x, y)):
        theirs, point = case.grad[name], np.asarray(point, np.float64)
        along = np.sum(theirs * point, -1, keepdims=True) * point  # normalising takes the radial part away
        golden.assert_grad(grad, theirs - along, case.tolerance)
    np.testing.assert_allclose(jax.jit(loss)(3.0 * x, 0.5 * y), value, rtol=1e-5, atol=1e-6)


def test_weights():
    x, y = np.random.default_rng(0).normal(size=(2, 6, 4)).astype(np.float32)
    apart = [align_uniform_loss(x, y, align_weight=a, uniform_weight=u) for a, u in ((1.0, 0.0), (0.0, 1.0))]
    whole = align_uniform_loss(x, y, align_weight=3.0, uniform_weight=0.5)
    np.testing.assert_allclose(whole, 3.0 * apart[0] + 0.5 * apart[1], rtol=1e-5)


def test_uniformity_survives_distant_pairs():
    """exp(-t d^2) underflows in float32; its log does not."""
    assert float(uniformity(100 * np.eye(3, dtype=np.float32))) == pytest.approx(-40000.0)
