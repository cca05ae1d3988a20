"""CLIP and SigLIP against open_clip, on one device and over several."""

import functools

import golden
import jax
import ml_dtypes
import numpy as np
import on_devices
import pytest

from jssl.objectives import clip_loss, siglip_loss

LOSSES = {"clip": (clip_loss, ("logit_scale",)), "siglip": (siglip_loss, ("logit_scale", "logit_bias"))}

every_case = pytest.mark.parametrize(("loss", "name"), [(loss, name) for loss in LOSSES for name in golden.cases(loss)])


def function_of(loss):
    """The objective with its scalars positional, and the names of all its arrays."""
    function, scalars = LOSSES[loss]

    def positional(image, text, *values, **options):
        return function(image, text, **dict(zip(scalars, values)), **options)

    return positional, ("image", "text", *scalars)


@pytest.mark.golden
@every_case
def test_matches_open_clip(loss, name):
    case = golden.load(loss, name)
    function, names = function_of(loss)
    arrays = [case.inputs[key] for key in names]
    value, grads = jax.jit(jax.value_and_grad(function, range(len(names))))(*arrays)
    golden.assert_loss(value, case.out["loss"], case.tolerance)
    for key, grad in zip(names, grads):
        golden.assert_grad(grad, case.grad[key], case.tolerance)


@pytest.mark.golden
@pytest.mark.parametrize("loss", LOSSES)
def test_matches_open_clip_in_bfloat16(loss):
    exact = [name for name in golden.cases(loss) if golden.load(loss, name).hyper["bf16_exact_inputs"]]
    assert exact
    for name in exact:
        case = golden.load(loss, name)
        function, names = function_of(loss)
        arrays = [case.inputs[key] for key in names]
        arrays[:2] = (x.astype(ml_dtypes.bfloat16) for x in arrays[:2])
        value, grads = jax.jit(jax.value_and_grad(function, range(len(names))))(*arrays)
        golden.assert_loss(value, case.out["loss"], case.tolerance)
        for key, grad in zip(names[:2], grads):
            on_devices.assert_rounded_grad(grad, case.grad[key], case.tolerance)
        for key, grad in zip(names[2:], grads[2:]):
            golden.assert_grad(grad, case.grad[key], case.tolerance)


@pytest.mark.golden
@pytest.mark.parametrize("devices", [*(pytest.param(n, marks=pytest.mark.slow) for n in (2, 4)), 8])
@pytest.mark.parametrize("name", golden.cases("sharded_global_batch"))
@pytest.mark.parametrize("exchange", ["gather", pytest.param("ring", marks=pytest.mark.slow)])
@pytest.mark.parametrize("loss", LOSSES)
def test_negatives_are_global(loss, name, devices, exchange):
    case = golden.load("sharded_global_batch", name)
    function, names = function_of(loss)
    arrays = [case.inputs[key].reshape(-1, case.hyper["D"]) for key in ("image", "text")]
    if len(arrays[0]) % devices:
        assert (name, devices) == ("c01", 8)  # 12 examples: the only pair that cannot be split
        devices = 6
    arrays += [np.float32(case.hyper[key]) for key in names[2:]]
    tolerance = {"grad_atol": 1e-8, **case.tolerance}
    batch_axes = (0, 0, *[None] * len(names[2:]))
    function = functools.partial(function, exchange=exchange)
    value, grads = on_devices.value_and_grad(function, devices, arrays, batch_axes, (0, 1))
    golden.assert_loss(value, case.out[f"loss_{loss}"], tolerance)
    for key, grad in zip(names, grads):
        golden.assert_grad(grad, case.out[f"grad_{loss}_{key}"].reshape(grad.shape), tolerance)


def test_scalars_may_be_python_numbers():
    x = np.eye(4, dtype=np.float32)
    for function, scalars in LOSSES.values():
        numbers = dict(zip(scalars, (10.0, -5.0)))
        arrays = {key: np.float32(value) for key, value in numbers.items()}
        assert function(x, x, **numbers) == function(x, x, **arrays)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (functools.partial(clip_loss, logit_scale=0.0), "clip_loss: logit_scale must be above 0, got 0.0"),
        (functools.partial(clip_loss, logit_scale=np.ones(1)), r"clip_loss: logit_scale must be a scalar.*\(1,\)"),
        (functools.partial(siglip_loss, logit_scale=-1, logit_bias=0.0), "logit_scale must be above 0, got -1"),
        (functools.partial(siglip_loss, logit_scale=1, logit_bias=np.ones(3)), r"logit_bias must be a scalar.*\(3,\)"),
    ],
)
def test_scalars_are_checked(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones((2, 4), np.float32), np.ones((2, 4), np.float32))
