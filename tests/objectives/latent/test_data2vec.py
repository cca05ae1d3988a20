"""data2vec's targets and loss against the authors' code."""

import functools

import golden
import jax
import numpy as np
import pytest

from jssl.objectives import data2vec_loss, data2vec_targets


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("data2vec"))
def test_matches_data2vec(name):
    case = golden.load("data2vec", name)
    hyper, mask = case.hyper, case.inputs["mask"]

    @jax.jit
    def step(student, layers):
        targets = data2vec_targets(
            layers,
            normalize_layers="instance" if hyper["instance_norm_target_layer"] else "layer",
            normalize_targets="layer" if hyper["layer_norm_targets"] else None,
        )
        loss_of = functools.partial(data2vec_loss, beta=hyper["loss_beta"] or None)
        return *jax.value_and_grad(loss_of)(student, targets, mask), targets

    loss, grad, targets = step(case.inputs["student"], case.inputs["layers"])
    scale = hyper["loss_scale"] or hyper["D"] ** -0.5
    factor = case.out["sample_size"] * hyper["D"] * scale  # the reference sums over tokens and channels
    golden.assert_loss(factor * loss, case.out["loss"], case.tolerance)
    golden.assert_grad(factor * grad, case.grad["student"], case.tolerance)
    golden.assert_loss(np.asarray(targets)[mask], case.out["target"], case.tolerance)


def test_targets_are_standardized_float32_constants():
    layers = np.random.default_rng(0).normal(size=(2, 1, 3, 4)).astype(np.float16)

    @functools.partial(jax.jit, static_argnames="first")
    def step(layers, first):
        def one(layers):
            targets = data2vec_targets(layers, normalize_layers=first, normalize_targets="instance")
            return targets[0, 0, 0], targets

        grad, targets = jax.grad(one, has_aux=True)(layers)
        return grad, targets

    grad, targets = step(layers, first=None)
    assert not np.any(grad) and targets.dtype == np.float32
    np.testing.assert_allclose(np.mean(targets, axis=1), 0.0, atol=1e-6)
    np.testing.assert_allclose(np.var(targets, axis=1), 1.0, rtol=1e-2)  # epsilon takes its share of small variances
    for value in (0.0, 3e4):  # nothing to standardise
        assert not np.any(step(np.full_like(layers, value), first="layer")[1])


def test_wrong_arguments():
    x = np.zeros((2, 3, 4), np.float32)
    with pytest.raises(ValueError, match=r"\(2, 4\).*\(2, 3, 4\)"):
        data2vec_loss(x, x, np.ones((2, 4), bool), beta=1.0)
    with pytest.raises(ValueError, match="beta must be above 0, got 0.0"):
        data2vec_loss(x, x, np.ones((2, 3), bool), beta=0.0)
    with pytest.raises(ValueError, match=r"\(2, 3, 4\)"):
        data2vec_targets(x, normalize_layers="layer")
    with pytest.raises(ValueError, match="normalize_layers must be 'instance', 'layer' or None, got 'batch'"):
        data2vec_targets(x[None], normalize_layers="batch")
