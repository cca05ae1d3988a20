"""The iBOT loss against the authors' code, with centred and with Sinkhorn targets."""

import golden
import jax
import numpy as np
import on_devices
import pytest

from jssl.objectives import ibot_loss, sinkhorn, softmax_center, update_center


def step_of(hyper):
    """Loss, gradient, targets and the new centre."""

    def step(student, teacher, mask, center, *, axis_name=None):
        if hyper["teacher_mode"] == "softmax":
            targets = softmax_center(teacher, center, temperature=hyper["teacher_temp"])
        else:
            targets = sinkhorn(
                teacher.reshape(-1, hyper["K"]),
                mask=mask.reshape(-1),
                epsilon=hyper["teacher_temp"],
                num_iterations=hyper["sinkhorn_iterations"],
                axis_name=axis_name,
            ).reshape(teacher.shape)

        def loss_of(student):
            return ibot_loss(student, targets, mask, student_temperature=hyper["student_temp"], axis_name=axis_name)

        new_center = update_center(center, teacher, momentum=hyper["center_momentum"], axis_name=axis_name)
        return *jax.value_and_grad(loss_of)(student), targets, new_center

    return step


@pytest.mark.golden
@pytest.mark.parametrize(("name", "devices"), [*((name, None) for name in golden.cases("ibot_patch")), ("c01", 4)])
def test_matches_ibot(name, devices):
    case = golden.load("ibot_patch", name)
    step = jax.jit(step_of(case.hyper))
    if devices:
        step = on_devices.mapped(step_of(case.hyper), devices, (0, 0, 0, None), (None, 0, 0, None))
    loss, grad, targets, center = step(
        case.inputs["student"], case.inputs["teacher"], case.inputs["mask"], case.inputs["center"][0, 0]
    )
    golden.assert_loss(loss, case.out["loss"], case.tolerance)
    golden.assert_grad(grad, case.grad["student"], case.tolerance)
    golden.assert_loss(targets, case.out["teacher_probs"], case.tolerance)
    if case.hyper["teacher_mode"] == "softmax":
        golden.assert_loss(center, case.state["center"][0, 0], case.tolerance)


def test_wrong_arguments():
    x = np.zeros((2, 3, 4), np.float32)
    with pytest.raises(ValueError, match=r"\(2, 4\).*\(2, 3, 4\)"):
        ibot_loss(x, x, np.ones((2, 4), bool), student_temperature=0.1)
    with pytest.raises(ValueError, match="student_temperature must be above 0"):
        ibot_loss(x, x, np.ones((2, 3), bool), student_temperature=0.0)
