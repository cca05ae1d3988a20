"""The negative cosine similarity of SimSiam against the authors' code."""

import golden
import jax
import pytest

from jssl.objectives import simsiam_loss


def both_directions(p1, p2, z1, z2):
    return 0.5 * (simsiam_loss(p1, z2) + simsiam_loss(p2, z1))


value_and_grad = jax.jit(jax.value_and_grad(both_directions, (0, 1)))


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("simsiam"))
def test_matches_simsiam(name):
    case = golden.load("simsiam", name)
    loss, grads = value_and_grad(*[case.inputs[key] for key in ("p1", "p2", "z1", "z2")])
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    golden.assert_grad(grads[0], case.grad["p1"], case.tolerance)
    golden.assert_grad(grads[1], case.grad["p2"], case.tolerance)
