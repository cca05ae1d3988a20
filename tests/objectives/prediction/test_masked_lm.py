"""The loss of hidden tokens is the cross-entropy of whole logits at their places."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.objectives import cross_entropy_loss, masked_lm_loss


def arrays():
    rng = np.random.default_rng(0)
    features, embedding = rng.normal(size=(3, 9, 8)), rng.normal(size=(11, 8))
    positions = np.stack([rng.permutation(9)[:4] for _ in range(3)])
    weights = rng.uniform(size=(3, 4)) < 0.7
    numbers = positions, rng.integers(11, size=(3, 4))
    return *(x.astype(np.float32) for x in (features, embedding)), *numbers, weights.astype(np.float32)


def test_value_and_gradient_are_those_of_whole_logits():
    *floats, positions, targets, weights = arrays()

    def whole(features, embedding):
        logits = jnp.einsum("bld,vd->blv", features, embedding, precision="highest")
        hidden = jnp.take_along_axis(logits, positions[..., None], 1)
        return cross_entropy_loss(hidden, targets, weights=weights)

    def tiled(features, embedding):
        return masked_lm_loss(features, embedding, positions, targets, weights, tile=5)

    expected, ours = (jax.value_and_grad(loss, (0, 1))(*floats) for loss in (whole, tiled))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), ours, expected)


def test_whole_logits_are_in_no_program():
    """(B, K, V), and of course not (B, L, V)."""
    shapes = (2, 64, 8), (300, 8), (2, 10), (2, 10), (2, 10)
    kinds = "float32", "float32", "int32", "int32", "float32"
    given = [jax.ShapeDtypeStruct(shape, kind) for shape, kind in zip(shapes, kinds)]
    text = str(jax.make_jaxpr(jax.grad(lambda *a: masked_lm_loss(*a, tile=4), (0, 1)))(*given))
    assert "[4,300]" in text and not any(f"[{shape},300]" in text for shape in ("2,64", "2,10", "20", "128"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f, e, p, t, w: (f, e, p.astype(float), t, w), "positions must be integers, got float"),
        (lambda f, e, p, t, w: (f, e, p[:2], t[:2], w[:2]), r"positions \(B, K\) have shape \(2, 4\).*\(3, 9, 8\)"),
        (lambda f, e, p, t, w: (f, e, p, t[:, 1:], w), r"\(3, 4\).*\(3, 3\)"),
    ],
)
def test_wrong_arguments_are_one_line(change, message):
    with pytest.raises(ValueError, match=f"^masked_lm_loss: .*{message}"):
        masked_lm_loss(*change(*arrays()))
