"""Cross-entropy against its formula, and what becomes of labels that no class has."""

import functools

import jax
import ml_dtypes
import numpy as np
import pytest

from jssl.objectives import cross_entropy_loss, soft_cross_entropy_loss

CLASSES = 5


def make():
    """Logits, labels and weights of three positions in each of four examples."""
    generator = np.random.default_rng(0)
    logits = 3.0 * generator.normal(size=(4, 3, CLASSES))
    labels, weights = generator.integers(CLASSES, size=(4, 3)), generator.integers(3, size=(4, 3))
    return logits.astype(np.float32), labels.astype(np.int32), weights.astype(np.float32)


def formula(logits, targets, weights):
    """Value and gradient in float64."""
    powers = np.exp(logits.astype(np.float64))
    p = powers / powers.sum(axis=-1, keepdims=True)
    share = weights / weights.sum()
    gradient = share[..., None] * (targets.sum(axis=-1, keepdims=True) * p - targets)
    return -np.sum(share[..., None] * targets * np.log(p)), gradient


def check(result, expected):
    np.testing.assert_allclose(result[0], expected[0], rtol=1e-5)
    np.testing.assert_allclose(result[1], expected[1], atol=1e-6)


@functools.cache
def value_and_grad(label_smoothing=0.0):
    def loss_of(logits, labels, weights):
        return cross_entropy_loss(logits, labels, label_smoothing=label_smoothing, weights=weights)

    return jax.jit(jax.value_and_grad(loss_of))


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_matches_the_formula(label_smoothing, weighted):
    logits, labels, weights = make()
    targets = (1 - label_smoothing) * np.eye(CLASSES)[labels] + label_smoothing / CLASSES
    expected = formula(logits, targets, weights if weighted else np.ones_like(weights))
    check(value_and_grad(label_smoothing)(logits, labels, weights if weighted else None), expected)


def test_soft_targets_match_the_formula():
    logits, _, weights = make()
    targets = np.random.default_rng(1).uniform(size=logits.shape).astype(np.float32)  # they need not add up to one
    function = functools.partial(soft_cross_entropy_loss, weights=weights)
    check(jax.jit(jax.value_and_grad(function))(logits, targets), formula(logits, targets, weights))


@pytest.mark.parametrize("label", [-1, CLASSES, 255])
def test_label_that_is_no_class_is_nan_unless_ignored(label):
    logits, labels, weights = make()
    weights[0, 0] = 0.0
    wrong = labels.copy()
    wrong[0, 0] = label
    assert np.isnan(value_and_grad()(logits, wrong, np.ones_like(weights))[0])
    loss, grad = value_and_grad()(logits, wrong, weights)
    expected_loss, expected_grad = value_and_grad()(logits, labels, weights)
    assert loss == expected_loss
    np.testing.assert_array_equal(grad, expected_grad)
    assert not np.any(grad[0, 0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_labels_may_be_any_integers(dtype):
    logits, labels, _ = make()
    assert cross_entropy_loss(logits, labels.astype(dtype)) == cross_entropy_loss(logits, labels)


def test_everything_ignored_is_zero_not_nan():
    logits, labels, weights = make()
    loss, grad = value_and_grad()(logits, labels, 0.0 * weights)
    assert loss == 0
    assert not np.any(grad)


def test_large_logits_are_exact():
    logits = np.array([[1e4, 0.0, -1e4]], ml_dtypes.bfloat16)
    for label, expected in enumerate([0.0, 1.0, 2.0]):
        loss = cross_entropy_loss(logits, np.array([label], np.int32))
        assert loss == expected * logits.astype(np.float32)[0, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, y, w: cross_entropy_loss(x, y.astype(np.float32)), "labels must be integers, got float32"),
        (lambda x, y, w: cross_entropy_loss(x, np.eye(CLASSES)[y]), r"\(4, 3, 5\).*\(4, 3, 5\)"),
        (lambda x, y, w: cross_entropy_loss(x, y, weights=w[:3]), r"weights have shape \(3, 3\).*\(4, 3, 5\)"),
        (lambda x, y, w: cross_entropy_loss(x, y, label_smoothing=-0.1), r"must be in \[0, 1\], got -0.1"),
        (lambda x, y, w: cross_entropy_loss(x, y, label_smoothing=2), r"must be in \[0, 1\], got 2"),
        (lambda x, y, w: soft_cross_entropy_loss(x, x, weights=w[0]), r"weights have shape \(3,\).*\(4, 3, 5\)"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(*make())
