"""Sinkhorn codes over devices, with a queue and a mask, and where exponentials overflow.

They are also compared with the authors' code in `test_swav`, `test_dinov2` and `test_ibot`.
"""

import functools

import golden
import jax
import numpy as np
import on_devices
import pytest

from jssl.objectives import sinkhorn


@pytest.mark.golden
@pytest.mark.parametrize("devices", [*(pytest.param(n, marks=pytest.mark.slow) for n in (2, 4)), 8])
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


EIGHT = np.random.default_rng(2).normal(size=(8, 5)).astype(np.float32)
QUEUE = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32) + np.arange(5, dtype=np.float32)[None, :]
MASK = np.array([True, False, True, True, False, False, True, True])


def with_queue_and_mask(scores, queue, mask, axis_name=None):
    return sinkhorn(scores, queue=queue, mask=mask, epsilon=0.3, num_iterations=3, axis_name=axis_name)


@functools.cache
def balanced_together():
    """Codes of the rows of EIGHT that MASK names, balanced with QUEUE in one array on one device."""
    function = jax.jit(functools.partial(sinkhorn, epsilon=0.3, num_iterations=3))
    codes = np.zeros_like(EIGHT)
    codes[MASK] = function(np.concatenate([QUEUE, EIGHT[MASK]]))[len(QUEUE) :]
    return codes


@pytest.mark.parametrize("devices", [None, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 4)), 8])
def test_queue_counts_once_and_masked_rows_never(devices):
    """Devices hold different numbers of rows that count, on four and eight devices some hold none."""
    function = jax.jit(with_queue_and_mask)
    if devices:
        function = on_devices.mapped(with_queue_and_mask, devices, (0, None, 0), 0)
    np.testing.assert_allclose(function(EIGHT, QUEUE, MASK), balanced_together(), atol=1e-6)


def test_no_row_may_count():
    function = jax.jit(functools.partial(sinkhorn, epsilon=0.05, num_iterations=3))
    for scale in (0.0, 1.0, 1e6):
        codes = function(np.float32(scale) * EIGHT, mask=np.zeros(8, np.float32))
        np.testing.assert_array_equal(codes, np.zeros((8, 5)))


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_scores_of_any_size(scale):
    scores = scale * np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
    codes = np.asarray(jax.jit(functools.partial(sinkhorn, epsilon=0.05, num_iterations=3))(scores))
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

    assert not np.any(jax.jit(jax.grad(total))(scores))
    function = functools.partial(sinkhorn, epsilon=0.1, num_iterations=3)
    assert jax.eval_shape(function, scores.astype(np.float16)).dtype == np.float32


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        (np.zeros((4, 3, 2), np.float32), {}, r"\(4, 3, 2\)"),
        (np.zeros((0, 3), np.float32), {}, "empty"),
        (np.zeros((4, 3), np.float32), {"epsilon": 0.0}, "epsilon must be above 0"),
        (np.zeros((4, 3), np.float32), {"num_iterations": 0}, "num_iterations must be above 0"),
        (np.zeros((4, 3), np.float32), {"queue": np.zeros((4, 2), np.float32)}, r"\(4, 3\).*\(4, 2\)"),
        (np.zeros((4, 3), np.float32), {"queue": np.zeros((0, 3), np.float32)}, "queue is empty"),
        (np.zeros((4, 3), np.float32), {"mask": np.zeros((3,), bool)}, r"\(3,\).*\(4, 3\)"),
    ],
)
def test_wrong_arguments(scores, options, message):
    with pytest.raises(ValueError, match=message):
        sinkhorn(scores, **{"epsilon": 0.1, "num_iterations": 3, **options})
