"""The targets that DINO, iBOT and DINOv2 share, against the objectives that are checked against the authors' values; and
those of data2vec."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from harness import SIZE
from jssl.methods.crops import targets
from rows import ROWS

from jssl import methods, objectives

TEACHER, STUDENT = np.random.default_rng(0).normal(size=(2, 2, 6, 5)).astype(np.float32)
CENTER = np.linspace(-1.0, 1.0, 5, dtype=np.float32)


def _targets(logits, mask, centering):
    return targets(
        jnp.asarray(logits),
        jnp.asarray(mask),
        CENTER,
        centering=centering,
        temperature=0.1,
        center_momentum=0.7,
        axis_name=None,
    )


def test_softmax_targets_and_cross_entropy_are_dino():
    probabilities, center = _targets(TEACHER.reshape(12, 5), np.ones(12, bool), "softmax")
    loss = objectives.swav_loss(STUDENT, probabilities.reshape(TEACHER.shape), temperature=0.2)
    expected = objectives.dino_loss(STUDENT, TEACHER, CENTER, student_temperature=0.2, teacher_temperature=0.1)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    np.testing.assert_allclose(center, objectives.update_center(CENTER, TEACHER, momentum=0.7), rtol=1e-6, atol=1e-7)


def test_rows_that_do_not_count_move_nothing():
    mask = np.arange(12) < 7
    logits = np.where(mask[:, None], TEACHER.reshape(12, 5), 1e3)
    _, center = _targets(logits, mask, "softmax")
    np.testing.assert_allclose(center, objectives.update_center(CENTER, logits[:7], momentum=0.7), rtol=1e-5, atol=1e-6)
    balanced, center = _targets(logits, mask, "sinkhorn")
    alone = objectives.sinkhorn(jnp.asarray(logits[:7]), epsilon=0.1, num_iterations=3)
    np.testing.assert_allclose(balanced[:7], alone, rtol=1e-5, atol=1e-6)
    assert center is None and not np.any(balanced[7:])


def test_data2vec_normalises_blocks_as_it_is_told():
    def loss(norm):
        method = methods.build("data2vec", image_size=SIZE, **ROWS["data2vec"] | {"normalize_layers": norm})
        images = np.random.default_rng(0).normal(size=(2, SIZE, SIZE, 3)).astype(np.float32)
        batch = {"image": images, "mask": np.arange((SIZE // 4) ** 2) % 2 == np.arange(2)[:, None]}
        params, extra = method.init(jax.random.key(0), batch)
        keys = jax.random.split(jax.random.key(1), 2)
        return method.loss(params, method.teacher(params), extra, batch, keys, step=0, axis_name=None)[0]

    assert abs(jax.jit(loss, static_argnums=0)("layer") - jax.jit(loss, static_argnums=0)("instance")) > 1e-3
    with pytest.raises(ValueError, match="normalize_layers must be 'instance', 'layer' or None, got 'batch'"):
        jax.eval_shape(lambda: loss("batch"))


def test_options_that_make_no_sense_are_one_line():
    assert not methods.build("dino", image_size=SIZE, **ROWS["dino"]).coupled
    assert "balanced" in methods.build("dino", image_size=SIZE, **ROWS["dino"] | {"centering": "sinkhorn"}).coupled
    for name in ("dino", "dinov2"):
        with pytest.raises(ValueError, match="no centering 'mean': use softmax or sinkhorn"):
            methods.build(name, image_size=SIZE, **ROWS[name] | {"centering": "mean"})
    with pytest.raises(ValueError, match="min_block=99, but .* patches are masked; lower method.min_block"):
        methods.build("data2vec", image_size=SIZE, **ROWS["data2vec"] | {"min_block": 99})
