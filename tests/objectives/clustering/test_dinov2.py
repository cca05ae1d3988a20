"""The loss of DINOv2's class token against the authors' code, with centred and with Sinkhorn targets."""

import golden
import jax
import numpy as np
import on_devices
import pytest

from jssl.objectives import dinov2_loss, sinkhorn, softmax_center, update_center


def step_of(hyper):
    """Loss, gradient, targets and the new centre."""

    def step(student, teacher, center, *, axis_name=None):
        if hyper["teacher_mode"] == "softmax":
            targets = softmax_center(teacher, center, temperature=hyper["teacher_temp"])
        else:  # over the rows of both teacher crops together
            targets = sinkhorn(
                teacher.reshape(-1, hyper["K"]),
                epsilon=hyper["teacher_temp"],
                num_iterations=hyper["sinkhorn_iterations"],
                axis_name=axis_name,
            ).reshape(teacher.shape)

        def loss_of(student):
            return dinov2_loss(student, targets, student_temperature=hyper["student_temp"], axis_name=axis_name)

        new_center = update_center(center, teacher, momentum=hyper["center_momentum"], axis_name=axis_name)
        return *jax.value_and_grad(loss_of)(student), targets, new_center

    return step


@pytest.mark.golden
@pytest.mark.parametrize(("name", "devices"), [*((name, None) for name in golden.cases("dinov2_cls")), ("c02", 4)])
def test_matches_dinov2(name, devices):
    case = golden.load("dinov2_cls", name)
    hyper = case.hyper
    student, teacher = (case.inputs[key].reshape(-1, hyper["B"], hyper["K"]) for key in ("student", "teacher"))
    step = jax.jit(step_of(hyper))
    if devices:
        step = on_devices.mapped(step_of(hyper), devices, (1, 1, None), (None, 1, 1, None))
    loss, grad, targets, center = step(student, teacher, case.inputs["center"][0])
    pairs = len(student) * len(teacher)  # the reference sums over them
    golden.assert_loss(pairs * loss, case.out["loss"], case.tolerance)
    golden.assert_grad(pairs * grad, case.grad["student"].reshape(student.shape), case.tolerance)
    golden.assert_loss(targets, case.out["teacher_probs"].reshape(teacher.shape), case.tolerance)
    if hyper["teacher_mode"] == "softmax":
        golden.assert_loss(center, case.state["center"][0], case.tolerance)


def test_softmax_center_is_a_float32_constant():
    logits, center = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32), np.ones(5, np.float32)

    def first(logits, center):
        targets = softmax_center(logits, center, temperature=0.1)
        assert targets.dtype == np.float32
        return targets[..., 0].sum()

    assert not any(np.any(grad) for grad in jax.jit(jax.grad(first, (0, 1)))(logits.astype(np.float16), center))


def test_wrong_arguments():
    x, center = np.zeros((2, 3, 5), np.float32), np.zeros(5, np.float32)
    with pytest.raises(ValueError, match=r"\(2, 3, 5\).*\(2, 2, 5\)"):
        dinov2_loss(x, x[:, :2], student_temperature=0.1)
    with pytest.raises(ValueError, match="student_temperature must be above 0"):
        dinov2_loss(x, x, student_temperature=-1.0)
    with pytest.raises(ValueError, match=r"\(1, 5\).*\(2, 3, 5\)"):
        softmax_center(x, center[None], temperature=0.1)
    with pytest.raises(ValueError, match="teacher is empty"):
        softmax_center(x[:0], center, temperature=0.1)
    with pytest.raises(ValueError, match="temperature must be above 0"):
        softmax_center(x, center, temperature=0.0)
