"""The supervised contrastive loss against its formula, and against NT-Xent where every label is unique."""

import functools

import jax
import numpy as np
import pytest

from jssl.objectives import nt_xent, sup_con_loss

TEMPERATURE = 0.3
value_and_grad = jax.jit(jax.value_and_grad(functools.partial(sup_con_loss, temperature=TEMPERATURE), (0, 1)))


def formula(view_a, view_b, labels):
    """The sums of the paper, one by one, in float64."""
    z = np.concatenate([view_a, view_b]).astype(np.float64)
    z, labels = z / np.linalg.norm(z, axis=1, keepdims=True), np.concatenate([labels, labels])
    total = 0.0
    for i in range(len(z)):
        others = [j for j in range(len(z)) if j != i]
        positives = [j for j in others if labels[j] == labels[i]]
        denominator = sum(np.exp(z[i] @ z[j] / TEMPERATURE) for j in others)
        total -= np.mean([np.log(np.exp(z[i] @ z[p] / TEMPERATURE) / denominator) for p in positives])
    return total / len(z)


def slopes(function, x, step=1e-5):
    """Central differences of function(x) for each entry of x."""
    grad = np.zeros(x.shape)
    for entry in np.ndindex(x.shape):
        change = np.zeros(x.shape)
        change[entry] = step
        grad[entry] = (function(x + change) - function(x - change)) / (2 * step)
    return grad


@pytest.mark.parametrize("labels", [[0, 1, 0, 7, -2], [3, 3, 3, 3, 3], [0, 1, 2, 3, 4]], ids=["some", "one", "all"])
def test_matches_the_formula(labels):
    views = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    labels = np.array(labels, np.int32)
    loss, grads = value_and_grad(*views, labels)
    np.testing.assert_allclose(loss, formula(*views, labels), rtol=1e-5)
    expected = slopes(lambda views: formula(*views, labels), views.astype(np.float64))
    np.testing.assert_allclose(grads, expected, atol=1e-4 * np.abs(expected).max())


def test_is_nt_xent_where_every_label_is_unique():
    views = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    reference = jax.value_and_grad(functools.partial(nt_xent, temperature=TEMPERATURE), (0, 1))
    loss, grads = jax.jit(reference)(*views)
    value, value_grads = value_and_grad(*views, np.array([5, -1, 0, 9, 2], np.int32))
    np.testing.assert_allclose(value, loss, rtol=1e-6)
    np.testing.assert_allclose(value_grads, grads, atol=1e-6)


def test_wrong_arguments():
    x, labels = np.ones((2, 4), np.float32), np.zeros(2, np.int32)
    with pytest.raises(ValueError, match="labels must be integers, got float32"):
        sup_con_loss(x, x, labels.astype(np.float32), temperature=0.1)
    with pytest.raises(ValueError, match="temperature must be above 0"):
        sup_con_loss(x, x, labels, temperature=0.0)
