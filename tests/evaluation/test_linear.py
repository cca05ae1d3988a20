"""The linear probe reaches the optimum of its own objective, and chooses its strength without the test set."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.evaluation import linear, linear_probe


def blobs(seed, n, d=5, classes=3, spread=1.0):
    """n examples round one centre per class; the centres do not depend on the seed."""
    rng = np.random.default_rng(seed)
    centres = 3.0 * np.random.default_rng(99).normal(size=(classes, d))
    labels = rng.integers(0, classes, n)
    return (centres[labels] + spread * rng.normal(size=(n, d))).astype(np.float32), labels


def numpy_gradient(params, x, y, l2, weights):
    """Gradient of the objective, written out in float64."""
    kernel, bias = (np.asarray(params[n], np.float64) for n in ("kernel", "bias"))
    logits = x.astype(np.float64) @ kernel + bias
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    residual = (p - np.eye(len(bias))[y]) * (weights / weights.sum())[:, None]
    return x.T @ residual + l2 * kernel, residual.sum(0)


@pytest.mark.parametrize("l2", [1.0, 1e-2, 1e-4])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_vanishes_at_the_solution(l2, weighted):
    x, y = blobs(0, 120, spread=3.0)
    x = (x - x.mean(0)) / x.std(0)
    weights = np.random.default_rng(1).integers(0, 3, len(y)).astype(np.float64) if weighted else np.ones(len(y))
    params, info = linear.fit(x, y, l2=l2, num_classes=3, weights=weights if weighted else None, tolerance=1e-5)
    for g in numpy_gradient(params, x, y, l2, weights):
        assert np.abs(g).max() < 2e-5
    assert info["steps"] < 200 and info["grad_norm"] <= 1e-5
    start = {"kernel": jnp.zeros((5, 3)), "bias": jnp.zeros(3)}
    at_zero = linear.objective(start, jnp.asarray(x), jnp.asarray(y, jnp.int32), l2=l2)
    np.testing.assert_allclose(at_zero, np.log(3), rtol=1e-5)
    assert info["loss"] < float(at_zero)


def test_a_warm_start_takes_fewer_steps_to_the_same_place():
    x, y = blobs(0, 120, spread=3.0)
    cold, info = linear.fit(x, y, l2=1e-2, num_classes=3, tolerance=1e-5)
    near, _ = linear.fit(x, y, l2=2e-2, num_classes=3, tolerance=1e-5)
    warm, warm_info = linear.fit(x, y, l2=1e-2, num_classes=3, init=near, tolerance=1e-5)
    assert warm_info["steps"] < info["steps"]
    np.testing.assert_allclose(warm["kernel"], cold["kernel"], atol=1e-3)


def test_separable_classes_are_separated():
    x, y = blobs(0, 120, spread=0.3)
    test_x, test_y = blobs(1, 200, spread=0.3)
    result = linear_probe(x, y, test_x, test_y, num_classes=3)
    assert result["accuracy"] == result["train_accuracy"] == 1.0
    assert set(result["held_out"]) == set(linear.L2_SWEEP) and result["l2"] in linear.L2_SWEEP


def test_labels_that_mean_nothing_are_not_learnt():
    x, _ = blobs(0, 120)
    test_x, test_y = blobs(1, 200)
    y = np.random.default_rng(5).integers(0, 3, len(x))
    accuracy = linear_probe(x, y, test_x, test_y, num_classes=3)["accuracy"]
    assert accuracy < 0.75  # the classes are separable: 1.0 would mean that test labels were used


def test_the_held_out_part_chooses_the_strength():
    x, y = blobs(0, 120, spread=5.0)
    x = (x - x.mean(0)) / x.std(0)
    result = linear_probe(x, y, x, y, num_classes=3, standardise=False)
    held = np.random.default_rng(0).permutation(120)[:12]
    kept = np.setdiff1d(np.arange(120), held)
    for strength in (1.0, 1e-3):  # the same accuracy when the held-out part is cut off instead of weighted zero
        params, _ = linear.fit(x[kept], y[kept], l2=strength, num_classes=3)
        score = np.mean(np.argmax(x[held] @ np.asarray(params["kernel"]) + np.asarray(params["bias"]), 1) == y[held])
        assert abs(score - result["held_out"][strength]) < 1 / 12 + 1e-6  # one example on the boundary
    scores = result["held_out"]
    best = [strength for strength in linear.L2_SWEEP if scores[strength] == max(scores.values())]
    assert len(set(scores.values())) > 1 and result["l2"] == max(best)


def test_the_test_set_has_no_part_in_the_choice():
    x, y = blobs(0, 120, spread=5.0)
    results = [linear_probe(x, y, x, labels, num_classes=3) for labels in (y, (y + 1) % 3)]
    assert results[0]["held_out"] == results[1]["held_out"] and results[0]["l2"] == results[1]["l2"]
    assert results[0]["accuracy"] > 0.6 > results[1]["accuracy"]


def test_scale_and_offset_of_the_features_do_not_matter():
    x, y = blobs(0, 120, spread=3.0)
    test_x, test_y = blobs(1, 200, spread=3.0)
    scale, offset = np.array([1e-3, 1e3, 1.0, 10.0, 0.1], np.float32), np.float32(5.0)
    plain = linear_probe(x, y, test_x, test_y, num_classes=3, l2=(1e-2,))
    moved = linear_probe(
        x * scale + offset * scale, y, test_x * scale + offset * scale, test_y, num_classes=3, l2=(1e-2,)
    )
    assert abs(plain["accuracy"] - moved["accuracy"]) <= 0.01
    np.testing.assert_allclose(plain["loss"], moved["loss"], rtol=1e-3)


def test_constant_features_are_dropped():
    x, y = blobs(0, 120, spread=0.3)
    x[:, 4:] = dead = np.full((len(x), 1), 1234.567, np.float32)
    # If rounding in the dead column were blown up to unit scale, the test value far from it would drown the rest.
    result = linear_probe(x, y, np.hstack([x[:, :4], dead + 1]), y, num_classes=3, l2=(1e-2,))
    assert result["accuracy"] == 1.0


def test_collapsed_features_score_the_commonest_class():
    y = np.array([0, 0, 0, 1, 2] * 24)
    result = linear_probe(np.ones((120, 5)), y, np.ones((120, 5)), y, num_classes=3)
    assert result["accuracy"] == 0.6 and np.isfinite(result["loss"])


def test_the_sweep_compiles_once():
    x, y = blobs(0, 120)
    linear._fit.clear_cache()
    linear_probe(x, y, x, y, num_classes=3)
    assert linear._fit._cache_size() == 1


@pytest.mark.parametrize("count", [2, 4])
def test_too_few_examples_to_choose_take_the_middle_strength(count):
    y = np.arange(count) % 2
    x = (2.0 * y - 1)[:, None]
    result = linear_probe(x, y, x, y, num_classes=2)
    assert result["accuracy"] == 1.0 and result["held_out"] == {} and result["l2"] == 1e-2
    alone = linear_probe(x, y, x, y, num_classes=2, l2=(1e-2,))
    assert alone == result


@pytest.mark.parametrize(
    ("labels", "test_features", "options", "message"),
    [
        ([0, 1, -1, 1], np.ones((4, 2)), {}, r"labels in \[0, 2\); leave unlabelled"),
        ([0, 1, 1], np.ones((4, 2)), {}, r"not \(4, 2\) and \(3,\)"),
        ([0, 1, 0, 1], np.ones((4, 3)), {}, "2 dimensions and test features 3"),
        ([0, 1, 0, 1], np.ones((4, 2)), {"held_out": 1.0}, "held_out=1.0 is no share"),
    ],
)
def test_errors_name_what_to_do(labels, test_features, options, message):
    with pytest.raises(ValueError, match=message):
        linear_probe(np.ones((4, 2)), np.array(labels), test_features, np.zeros(4, int), num_classes=2, **options)


@pytest.mark.slow
def test_fifty_thousand_examples():
    x, y = blobs(0, 55_000, d=256, classes=10, spread=20.0)
    result = linear_probe(x[:50_000], y[:50_000], x[50_000:], y[50_000:], num_classes=10)
    assert result["accuracy"] > 0.5
    jax.clear_caches()
