"""NT-Xent against the authors' code, on devices, in blocks, and round a ring of devices."""

import functools

import golden
import jax
import ml_dtypes
import numpy as np
import on_devices
import pytest

from jssl.objectives import nt_xent


@pytest.mark.golden
@pytest.mark.parametrize(
    ("name", "block_size"),
    [(name, size) for name in golden.cases("simclr_ntxent") for size in (None, 3)]
    + [("c01", 1), ("c01", 8), ("c01", 99)],
)
def test_matches_simclr(name, block_size):
    case = golden.load("simclr_ntxent", name)
    batch = case.hyper["B"]

    def reference_convention(hidden):
        loss = nt_xent(
            hidden[:batch],
            hidden[batch:],
            temperature=case.hyper["temperature"],
            normalize=case.hyper["hidden_norm"],
            block_size=block_size,
        )
        return 2.0 * loss

    loss, grad = jax.jit(jax.value_and_grad(reference_convention))(case.inputs["hidden"])
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    golden.assert_loss(loss / 2, case.out["loss_mean_2B"], case.tolerance)
    golden.assert_grad(grad, case.grad["hidden"], case.tolerance)


@pytest.mark.golden
@pytest.mark.parametrize("block_size", [None, 3])
def test_matches_simclr_in_bfloat16(block_size):
    exact = [
        name for name in golden.cases("simclr_ntxent") if golden.load("simclr_ntxent", name).hyper["bf16_exact_inputs"]
    ]
    assert exact
    for name in exact:
        case = golden.load("simclr_ntxent", name)
        batch, hidden = case.hyper["B"], case.inputs["hidden"].astype(ml_dtypes.bfloat16)
        function = functools.partial(nt_xent, temperature=case.hyper["temperature"], block_size=block_size)
        loss, grads = jax.jit(jax.value_and_grad(function, (0, 1)))(hidden[:batch], hidden[batch:])
        golden.assert_loss(2 * loss, case.out["loss"], case.tolerance)
        on_devices.assert_rounded_grad(np.concatenate(grads), case.grad["hidden"] / 2, case.tolerance)


@pytest.mark.golden
@pytest.mark.parametrize("exchange", ["gather", "ring"])
@pytest.mark.parametrize("devices", [*(pytest.param(n, marks=pytest.mark.slow) for n in (2, 4)), 8])
@pytest.mark.parametrize("name", golden.cases("sharded_ntxent"))
def test_negatives_are_global(name, devices, exchange):
    case = golden.load("sharded_ntxent", name)
    views = [case.inputs[key].reshape(-1, case.hyper["D"]) for key in ("view_a", "view_b")]
    function = functools.partial(nt_xent, temperature=case.hyper["temperature"], block_size=3, exchange=exchange)
    loss, grads = on_devices.value_and_grad(function, devices, views, (0, 0), (0, 1))
    golden.assert_loss(2 * loss, case.out["loss"], case.tolerance)
    for key, grad in zip(("view_a", "view_b"), grads):
        golden.assert_grad(2 * grad, case.grad[key].reshape(grad.shape), case.tolerance)


def _temporary_bytes(batch, block_size, *, differentiate):
    function = functools.partial(nt_xent, temperature=0.1, block_size=block_size)
    if differentiate:
        function = jax.grad(function, (0, 1))
    view = jax.ShapeDtypeStruct((batch, 16), np.float32)
    return jax.jit(function).lower(view, view).compile().memory_analysis().temp_size_in_bytes


@pytest.mark.parametrize("differentiate", [False, True], ids=["forward", "gradient"])
def test_blocks_bound_the_memory(differentiate):
    matrix = 4 * (2 * 1024) ** 2  # bytes of the similarity matrix of 2 x 1024 anchors
    whole = _temporary_bytes(1024, 2048, differentiate=differentiate)
    blocks = _temporary_bytes(1024, 16, differentiate=differentiate)
    half = _temporary_bytes(512, 16, differentiate=differentiate)
    assert whole >= matrix
    assert blocks < matrix / 10
    assert blocks < 3 * half  # linear in the batch, not quadratic
    assert blocks < _temporary_bytes(1024, 256, differentiate=differentiate) / 2  # and block_size is what sets it


def test_single_example_has_no_negatives():
    x = np.ones((1, 4), np.float32)
    loss, grad = jax.jit(jax.value_and_grad(functools.partial(nt_xent, temperature=0.1)))(x, x)
    assert abs(loss) < 1e-6
    assert np.abs(grad).max() < 1e-5


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"temperature": 0.1, "block_size": 0}])
def test_hyperparameters_are_checked(wrong):
    with pytest.raises(ValueError, match="must be above 0"):
        nt_xent(np.ones((2, 4), np.float32), np.ones((2, 4), np.float32), **wrong)
