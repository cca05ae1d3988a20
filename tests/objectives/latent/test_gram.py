"""The Gram loss against its formula, in NumPy and float64, with the gradient."""

import jax
import numpy as np

from jssl.objectives import gram_loss

STUDENT, TARGET, DIRECTION = np.random.default_rng(0).normal(size=(3, 4, 6, 5))


def by_hand(student):
    def gram(x):
        x = x / np.linalg.norm(x, axis=-1, keepdims=True)
        return x @ x.swapaxes(1, 2)

    return ((gram(student) - gram(TARGET)) ** 2).mean()


def test_value_and_gradient_are_those_of_the_formula():
    value, gradient = jax.value_and_grad(gram_loss)(STUDENT.astype(np.float32), TARGET.astype(np.float32))
    slope = (by_hand(STUDENT + 5e-6 * DIRECTION) - by_hand(STUDENT - 5e-6 * DIRECTION)) / 1e-5
    np.testing.assert_allclose(value, by_hand(STUDENT), rtol=1e-5)
    np.testing.assert_allclose((gradient * DIRECTION).sum(), slope, rtol=1e-4)


def test_turned_and_scaled_features_are_as_alike():
    turn, _ = np.linalg.qr(DIRECTION[0, :5])
    turned = (3.0 * STUDENT @ turn).astype(np.float32)
    assert float(gram_loss(turned, STUDENT.astype(np.float32))) < 1e-10
