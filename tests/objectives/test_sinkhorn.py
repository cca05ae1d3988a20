"""Sinkhorn codes against the authors' code, over devices, and where exponentials overflow."""

import functools

import golden
import jax
import numpy as np
import on_devices
import pytest

from jssl.objectives import sinkhorn


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("swav"))
def test_matches_swav_codes(name):
    case = golden.load("swav", name)
    batch, hyper = case.hyper["B"], case.hyper
    prototypes = case.out["prototypes_normalized"].astype(np.float32)
    for i, crop in enumerate(hyper["crops_for_assign"]):
        scores = case.inputs["embedding"][crop * batch : (crop + 1) * batch] @ prototypes.T
        if hyper["queue"] == "full":
            scores = np.concatenate([case.inputs["queue"][i] @ prototypes.T, scores])
        codes = sinkhorn(scores, epsilon=hyper["epsilon"], num_iterations=hyper["sinkhorn_iterations"])
        golden.assert_loss(codes[-batch:], case.out[f"codes_{i}"], case.tolerance)


@pytest.mark.golden
@pytest.mark.parametrize("devices", [2, 4, 8])
@pytest.mark.parametrize("name", golden.cases("sharded_global_batch"))
def test_codes_are_balanced_over_all_devices(name, devices):
    case = golden.load("sharded_global_batch", name)
    scores = case.inputs["scores"].reshape(-1, case.hyper["K"])
    if len(scores) % devices:
        assert (name, devices) == ("c01", 8)
        devices = 6
    function = functools.partial(
        sinkhorn, epsilon=case.hyper["sinkhorn_epsilon"], num_iterations=case.hyper["sinkhorn_iterations"]
    )
    codes = on_devices.mapped(function, devices, (0,), 0)(scores)
    golden.assert_loss(codes, case.out["codes"].reshape(scores.shape), case.tolerance)


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_scores_of_any_size(scale):
    scores = scale * np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
    codes = np.asarray(sinkhorn(scores, epsilon=0.05, num_iterations=3))
    assert np.isfinite(codes).all()
    np.testing.assert_allclose(codes.sum(axis=1), 1.0, rtol=1e-5)


def test_converges_to_equal_use_of_prototypes():
    scores = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
    codes = np.asarray(sinkhorn(scores, epsilon=0.5, num_iterations=50))
    np.testing.assert_allclose(codes.sum(axis=0), 4.0, rtol=1e-4)
    np.testing.assert_allclose(codes.sum(axis=1), 1.0, rtol=1e-5)


def test_codes_are_float32_constants():
    scores = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)

    def total(scores):
        return (sinkhorn(scores, epsilon=0.1, num_iterations=3)[:, 0] ** 2).sum()

    assert not np.any(jax.grad(total)(scores))
    assert sinkhorn(scores.astype(np.float16), epsilon=0.1, num_iterations=3).dtype == np.float32


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        (np.zeros((4, 3, 2), np.float32), {}, r"\(4, 3, 2\)"),
        (np.zeros((0, 3), np.float32), {}, "empty"),
        (np.zeros((4, 3), np.float32), {"epsilon": 0.0}, "epsilon must be above 0"),
        (np.zeros((4, 3), np.float32), {"num_iterations": 0}, "num_iterations must be above 0"),
    ],
)
def test_wrong_arguments(scores, options, message):
    with pytest.raises(ValueError, match=message):
        sinkhorn(scores, **{"epsilon": 0.1, "num_iterations": 3, **options})
