"""InfoNCE and MoCo v3 against the authors' code."""

import functools

import golden
import jax
import ml_dtypes
import numpy as np
import on_devices
import pytest

from jssl.objectives import enqueue, info_nce, moco_v3_loss

QUERIES_KEYS = ("q1", "q2", "k1", "k2")


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("moco_v3"))
def test_matches_moco_v3(name):
    case = golden.load("moco_v3", name)
    function = functools.partial(moco_v3_loss, temperature=case.hyper["temperature"])
    arrays = [case.inputs[key] for key in QUERIES_KEYS]
    loss, grads = jax.jit(jax.value_and_grad(function, (0, 1)))(*arrays)
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    golden.assert_grad(grads[0], case.grad["q1"], case.tolerance)
    golden.assert_grad(grads[1], case.grad["q2"], case.tolerance)
    factor = 2 * case.hyper["temperature"]
    one = info_nce(arrays[0], arrays[3], temperature=case.hyper["temperature"])
    golden.assert_loss(factor * one, case.out["loss_q1k2"], case.tolerance)


@pytest.mark.golden
def test_matches_moco_v3_in_bfloat16():
    exact = [name for name in golden.cases("moco_v3") if golden.load("moco_v3", name).hyper["bf16_exact_inputs"]]
    assert exact
    for name in exact:
        case = golden.load("moco_v3", name)
        function = functools.partial(moco_v3_loss, temperature=case.hyper["temperature"])
        arrays = [case.inputs[key].astype(ml_dtypes.bfloat16) for key in QUERIES_KEYS]
        loss, grads = jax.jit(jax.value_and_grad(function, (0, 1)))(*arrays)
        golden.assert_loss(loss, case.out["loss"], case.tolerance)
        on_devices.assert_rounded_grad(grads[0], case.grad["q1"], case.tolerance)
        on_devices.assert_rounded_grad(grads[1], case.grad["q2"], case.tolerance)


@pytest.mark.golden
@pytest.mark.parametrize("devices", [*(pytest.param(n, marks=pytest.mark.slow) for n in (2, 4)), 8])
@pytest.mark.parametrize("exchange", ["gather", pytest.param("ring", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", golden.cases("sharded_global_batch"))
def test_negatives_are_global(name, devices, exchange):
    case = golden.load("sharded_global_batch", name)
    arrays = [case.inputs[key].reshape(-1, case.hyper["D"]) for key in ("a", "b")]
    if len(arrays[0]) % devices:
        assert (name, devices) == ("c01", 8)  # 12 examples: the only pair that cannot be split
        devices = 6
    temperature = case.hyper["moco_temperature"]
    tolerance = {"grad_atol": 1e-8, **case.tolerance}
    function = functools.partial(info_nce, temperature=temperature, exchange=exchange)
    loss, (grad,) = on_devices.value_and_grad(function, devices, arrays, (0, 0), (0,))
    golden.assert_loss(2 * temperature * loss, case.out["loss_moco_v3"], tolerance)
    golden.assert_grad(2 * temperature * grad, case.out["grad_moco_v3_a"].reshape(grad.shape), tolerance)


@pytest.mark.golden
@pytest.mark.parametrize("devices", [None, 2])
@pytest.mark.parametrize("name", golden.cases("moco_queue"))
def test_matches_moco_over_several_steps(name, devices):
    case = golden.load("moco_queue", name)
    temperature = case.hyper["temperature"]

    def train(queries, keys, queue, pointer, *, axis_name=None):
        def loss_of(queries):
            return info_nce(queries, keys, negatives=queue, temperature=temperature, axis_name=axis_name)

        # The loss sees the queue before this step's keys go in.
        return jax.value_and_grad(loss_of)(queries), enqueue(queue, pointer, keys, axis_name=axis_name)

    step_of = jax.jit(train)
    if devices:
        step_of = on_devices.mapped(train, devices, (0, 0, None, None), ((None, 0), (None, None)))
    queue, pointer = np.ascontiguousarray(case.inputs["queue0"].T), np.int32(0)
    for step in range(case.hyper["steps"]):
        (loss, grad), (queue, pointer) = step_of(case.inputs[f"q_{step}"], case.inputs[f"k_{step}"], queue, pointer)
        golden.assert_loss(loss, case.out["losses"][step], case.tolerance)
        golden.assert_grad(grad, case.grad[f"q_{step}"], case.tolerance)
        golden.assert_loss(queue.T, case.state[f"queue_{step}"], case.tolerance)
        assert pointer == case.state[f"ptr_{step}"]
        assert (pointer.dtype, queue.dtype) == (np.int32, np.float32)


def test_queue_wraps_round_and_keeps_its_dtype():
    queue, pointer = np.zeros((5, 1), ml_dtypes.bfloat16), np.int32(4)
    queue, pointer = jax.jit(enqueue)(queue, pointer, np.array([[2.0], [-2.0], [3.0]], np.float32))
    assert queue.dtype == ml_dtypes.bfloat16
    assert queue[:, 0].tolist() == [-1.0, 1.0, 0.0, 0.0, 1.0]
    assert pointer == 2


def test_queue_takes_at_most_one_turn_per_batch():
    queue = np.zeros((6, 1), np.float32)
    with pytest.raises(ValueError, match="global batch of 8 keys does not fit a queue of 6 rows"):
        on_devices.mapped(enqueue, 2, (None, None, 0), (None, None))(queue, np.int32(0), np.ones((8, 1), np.float32))


def test_queue_features_must_agree():
    with pytest.raises(ValueError, match=r"\(6, 3\).*\(2, 4\)"):
        enqueue(np.zeros((6, 3), np.float32), np.int32(0), np.ones((2, 4), np.float32))
    with pytest.raises(ValueError, match="empty"):
        enqueue(np.zeros((6, 3), np.float32), np.int32(0), np.ones((0, 3), np.float32))


def test_temperature_may_be_traced_and_learned():
    x, y = np.random.default_rng(0).normal(size=(2, 4, 8)).astype(np.float32)

    def loss(temperature):
        return info_nce(x, y, temperature=temperature)

    slope = jax.jit(jax.grad(loss))(0.5)
    step = 1e-2
    assert abs(slope - (loss(0.5 + step) - loss(0.5 - step)) / (2 * step)) < 1e-2
    with pytest.raises(ValueError, match="temperature must be above 0, got -1"):
        loss(-1)
