"""The targets that DINO, iBOT and DINOv2 share, against the objectives that are checked against the authors' values; and
those of data2vec."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small
from formulas import CASES

from jssl import objectives
from jssl.methods.distillation.targets import masked_targets, target_metrics
from jssl.methods.options import Centering, Temperatures

TEACHER, STUDENT = np.random.default_rng(0).normal(size=(2, 2, 6, 5)).astype(np.float32)
CENTER = np.linspace(-1.0, 1.0, 5, dtype=np.float32)


def targets(logits, mask, kind):
    balance = {"centering": Centering(kind, 0.7), "temperature": 0.1, "axis_name": None}
    return masked_targets(jnp.asarray(logits), jnp.asarray(mask), CENTER, **balance)


def test_softmax_targets_and_cross_entropy_are_dino():
    probabilities, center = targets(TEACHER.reshape(12, 5), np.ones(12, bool), "softmax")
    loss = objectives.swav_loss(STUDENT, probabilities.reshape(TEACHER.shape), temperature=0.2)
    expected = objectives.dino_loss(STUDENT, TEACHER, CENTER, student_temperature=0.2, teacher_temperature=0.1)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    np.testing.assert_allclose(center, objectives.update_center(CENTER, TEACHER, momentum=0.7), rtol=1e-6, atol=1e-7)


def test_rows_that_do_not_count_move_nothing():
    mask = np.arange(12) < 7
    logits = np.where(mask[:, None], TEACHER.reshape(12, 5), 1e3)
    _, center = targets(logits, mask, "softmax")
    np.testing.assert_allclose(center, objectives.update_center(CENTER, logits[:7], momentum=0.7), rtol=1e-5, atol=1e-6)
    balanced, center = targets(logits, mask, "sinkhorn")
    alone = objectives.sinkhorn(jnp.asarray(logits[:7]), epsilon=0.1, num_iterations=3)
    np.testing.assert_allclose(balanced[:7], alone, rtol=1e-5, atol=1e-6)
    assert center is None and not np.any(balanced[7:])


def test_a_batch_without_rows_that_count_leaves_the_centre():
    _, center = targets(TEACHER.reshape(12, 5), np.zeros(12, bool), "softmax")
    np.testing.assert_allclose(center, CENTER, rtol=1e-6)


@pytest.mark.parametrize("kind", ["softmax", "sinkhorn"])
def test_targets_get_no_gradient(kind):
    gradient = jax.grad(lambda logits: jnp.sum(targets(logits, np.ones(12, bool), kind)[0][:, 0]))
    assert not np.any(gradient(jnp.asarray(TEACHER.reshape(12, 5))))


def test_the_teacher_s_temperature_rises_and_stays():
    temperatures = Temperatures(teacher=0.08, teacher_start=0.04, warmup=10)
    found = [float(temperatures.teacher_at(jnp.asarray(step))) for step in (0, 5, 10, 1000)]
    np.testing.assert_allclose(found, [0.04, 0.06, 0.08, 0.08], rtol=1e-6)
    np.testing.assert_allclose(Temperatures(teacher=0.07).teacher_at(jnp.asarray(0)), 0.04, rtol=1e-6)
    np.testing.assert_allclose(Temperatures(teacher=0.07).teacher_at(jnp.asarray(1)), 0.07, rtol=1e-6)


def test_collapse_shows_in_the_metrics():
    decided, undecided, one = jnp.eye(4), jnp.full((4, 4), 0.25), jnp.eye(4)[jnp.zeros(4, int)]
    found = [target_metrics(x, jnp.log(8.0), None) for x in (decided, undecided, one)]
    np.testing.assert_allclose([m["target_entropy"] for m in found], [0.0, np.log(4), 0.0], atol=1e-6)
    np.testing.assert_allclose([m["prototype_perplexity"] for m in found], [4.0, 4.0, 1.0], rtol=1e-6)
    np.testing.assert_allclose([m["prototypes_used"] for m in found], [1.0, 0.25, 0.25], rtol=1e-6)
    np.testing.assert_allclose([m["target_kl"] for m in found], [np.log(8), np.log(2), np.log(8)], rtol=1e-6)


def test_a_prototype_is_in_use_if_a_target_on_any_device_names_it():
    targets = jnp.eye(4)[jnp.array([[0, 0], [0, 2]])]  # of two devices
    found = jax.vmap(lambda x: target_metrics(x, 0.0, "devices"), axis_name="devices")(targets)
    np.testing.assert_allclose(found["prototypes_used"], [0.5, 0.5])


def test_data2vec_refuses_a_norm_that_there_is_not():
    method = small.build("data2vec", **CASES["data2vec"].options | {"normalize_layers": "batch"})
    side, places = small.SIDE, small.PLACES
    batch = {"image": jnp.zeros((2, side, side, 3)), "mask": jnp.zeros((2, places), bool)}
    with pytest.raises(ValueError, match="normalize_layers must be 'instance', 'layer' or None, got 'batch'"):
        params, extra = method.init(jax.random.key(0), batch)
        method.loss(params, method.teacher(params), extra, batch, None, step=0, axis_name=None)
