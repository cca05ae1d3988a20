"""The DINO loss and its centre against the authors' code, over several steps and devices."""

import functools

import golden
import jax
import ml_dtypes
import numpy as np
import on_devices
import pytest

from jssl.objectives import dino_loss, update_center


def step_of(hyper):
    """One step: loss and gradient with the old centre, and the new centre."""

    def step(student, teacher, center, teacher_temperature, *, axis_name=None):
        loss_of = functools.partial(
            dino_loss,
            student_temperature=hyper["student_temp"],
            teacher_temperature=teacher_temperature,
            axis_name=axis_name,
        )
        new_center = update_center(center, teacher, momentum=hyper["center_momentum"], axis_name=axis_name)
        return jax.value_and_grad(loss_of)(student, teacher, center), new_center

    return step


def split_over(devices, step):
    return on_devices.mapped(step, devices, (1, 1, None, None), ((None, 1), None))


@pytest.mark.golden
@pytest.mark.parametrize("devices", [None, 2])
@pytest.mark.parametrize("name", golden.cases("dino"))
def test_matches_dino_over_several_steps(name, devices):
    case = golden.load("dino", name)
    batch, classes = case.hyper["B"], case.hyper["K"]
    step = split_over(devices, step_of(case.hyper)) if devices else jax.jit(step_of(case.hyper))
    center = np.zeros(classes, np.float32)
    for i, epoch in enumerate(case.inputs["epochs"]):
        student = case.inputs[f"student_{i}"].reshape(case.hyper["ncrops"], batch, classes)
        teacher = case.inputs[f"teacher_{i}"].reshape(2, batch, classes)
        temperature = np.float32(case.out["teacher_temp_schedule"][epoch])
        (loss, grad), center = step(student, teacher, center, temperature)
        golden.assert_loss(loss, case.out["losses"][i], case.tolerance)
        golden.assert_grad(grad, case.grad[f"student_{i}"].reshape(student.shape), case.tolerance)
        golden.assert_loss(center, case.state[f"center_{i}"][0], case.tolerance)


@pytest.mark.golden
@pytest.mark.parametrize("devices", [*(pytest.param(n, marks=pytest.mark.slow) for n in (2, 4)), 8])
@pytest.mark.parametrize("name", golden.cases("sharded_global_batch"))
def test_center_is_global(name, devices):
    case = golden.load("sharded_global_batch", name)
    hyper = case.hyper["dino"]
    # (shard, crop, example, K) -> (crop, shard-major example, K)
    student, teacher, grad_reference = (
        x.swapaxes(0, 1).reshape(2, -1, case.hyper["K"])
        for x in (case.inputs["ds"], case.inputs["dt"], case.out["grad_dino_ds"])
    )
    if student.shape[1] % devices:
        assert (name, devices) == ("c01", 8)  # 12 examples: the only pair that cannot be split
        devices = 6
    warmup = np.linspace(hyper["warmup_teacher_temp"], hyper["teacher_temp"], hyper["warmup_teacher_temp_epochs"])
    (loss, grad), center = split_over(devices, step_of(hyper))(
        student, teacher, np.zeros(case.hyper["K"], np.float32), np.float32(warmup[hyper["epoch"]])
    )
    tolerance = {"grad_atol": 1e-8, **case.tolerance}
    golden.assert_loss(loss, case.out["loss_dino"], tolerance)
    golden.assert_grad(grad, grad_reference, tolerance)
    golden.assert_loss(center, case.out["dino_center_after"][0], tolerance)


def test_same_crop_is_skipped():
    """Only the second crop of the student carries the gradient of the first crop of a single teacher crop."""
    generator = np.random.default_rng(0)
    student, teacher = (generator.normal(size=(crops, 3, 5)).astype(np.float32) for crops in (2, 1))
    loss_of = functools.partial(dino_loss, student_temperature=0.1, teacher_temperature=0.04)
    grad = jax.jit(jax.grad(loss_of))(student, teacher, np.zeros(5, np.float32))
    assert not np.any(grad[0])
    assert np.any(grad[1])


def test_center_keeps_its_dtype_and_stops_gradients():
    teacher = np.ones((2, 4, 3), ml_dtypes.bfloat16)
    center = np.zeros(3, np.float32)
    assert update_center(center, teacher, momentum=0.9).dtype == np.float32
    grads = jax.grad(lambda c, t: update_center(c, t, momentum=0.9).sum(), (0, 1))(center, teacher.astype(np.float32))
    assert not np.any(grads[0]) and not np.any(grads[1])


def test_wrong_arguments():
    student, teacher, center = np.zeros((3, 2, 5), np.float32), np.zeros((2, 2, 5), np.float32), np.zeros(5, np.float32)
    options = {"student_temperature": 0.1, "teacher_temperature": 0.04}
    with pytest.raises(ValueError, match="T must not exceed S"):
        dino_loss(teacher, student, center, **options)
    with pytest.raises(ValueError, match="one crop has no other crop"):
        dino_loss(student[:1], teacher[:1], center, **options)
    with pytest.raises(ValueError, match=r"\(1, 5\).*\(2, 2, 5\)"):
        dino_loss(student, teacher, center[None], **options)
    with pytest.raises(ValueError, match="teacher_temperature must be above 0"):
        dino_loss(student, teacher, center, student_temperature=0.1, teacher_temperature=0.0)
    with pytest.raises(ValueError, match=r"\(4,\).*\(2, 2, 5\)"):
        update_center(center[:4], teacher, momentum=0.9)
    with pytest.raises(ValueError, match="empty"):
        update_center(center, teacher[:, :0], momentum=0.9)
