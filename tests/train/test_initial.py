"""Weights of another run: which arrays are taken, and what is said of those that do not fit."""

import json
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.train.checkpoints import Checkpointer
from jssl.train.initial import take_weights
from jssl.train.spikes import nothing_yet
from jssl.train.state import TrainState

BOTH, ENCODER = ("encoder", "head"), ("encoder",)


def method(tracked=()):
    teacher = (lambda params: {name: params[name] for name in tracked}) if tracked else None
    return SimpleNamespace(teacher=teacher, fields={"image"})


def state(value, networks=BOTH, *, tracked=(), width=4):
    """A state of one value; its teacher has ten times that."""

    def weights(names, value):
        return {name: {"kernel": jnp.full((width if name == "head" else 3, 2), value)} for name in names}

    def statistics(names, value):
        return {name: {"mean": jnp.full(2, value)} for name in names}

    extra = {"batch_stats": statistics(networks, value), "queue": jnp.full(5, value)}
    if tracked:
        extra["teacher_batch_stats"] = statistics(tracked, 10 * value)
    params, teacher = weights(networks, value), weights(tracked, 10 * value)
    return TrainState(
        jnp.int32(value), params, teacher, {"momentum": params}, extra, nothing_yet(), jax.random.key(int(value))
    )


@pytest.fixture
def runs(tmp_path):
    """runs(name, state): a run that has ended there."""

    def save(made):
        with Checkpointer(tmp_path / "other" / "checkpoints", every=1) as checkpoints:
            checkpoints.save(7, made, {})
        return tmp_path / "other"

    return save


def values(tree):
    return sorted({float(leaf.ravel()[0]) for leaf in jax.tree.leaves(tree)})


def test_all_weights_and_nothing_else(runs, caplog):
    made, record = take_weights(state(1.0), method(), runs(state(2.0)))
    assert values(made.params) == values(made.extra["batch_stats"]) == [2.0]
    assert int(made.step) == 1 and values(made.opt_state) == values(made.extra["queue"]) == [1.0]
    assert np.array_equal(jax.random.key_data(made.key), jax.random.key_data(jax.random.key(1)))
    assert "step 7: 4 of 4 arrays fit" in caplog.text and record["step"] == 7 and not record["left"]


def test_the_teacher_where_both_have_one(runs):
    other = runs(state(2.0, tracked=BOTH))
    made, _ = take_weights(state(1.0, tracked=BOTH), method(BOTH), other)
    assert values(made.teacher) == values(made.extra["teacher_batch_stats"]) == [20.0]
    made, _ = take_weights(state(1.0), method(), other)
    assert values(made.params) == [2.0] and not made.teacher


def test_a_teacher_that_the_other_run_lacks_is_a_copy_of_the_student(runs):
    made, _ = take_weights(state(1.0, tracked=ENCODER), method(ENCODER), runs(state(2.0)))
    assert values(made.teacher) == values(made.extra["teacher_batch_stats"]) == [2.0]
    assert list(made.teacher) == list(made.extra["teacher_batch_stats"]) == ["encoder"]
    buffers = [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves((made.params, made.teacher))]
    assert len(set(buffers)) == len(buffers)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (state(2.0, ENCODER), "2 of 4 arrays fit; only here: params/head/kernel, extra/batch_stats/head/mean"),
        (state(2.0, width=5), r"3 of 4 arrays fit; of another shape: params/head/kernel \(5, 2\) there, \(4, 2\) here"),
        (state(2.0, (*BOTH, "extra")), "4 of 4 arrays fit; only there: .*params/extra/kernel"),
    ],
)
def test_what_does_not_fit_is_named_and_left_where_that_is_asked_for(runs, caplog, other, told):
    folder = runs(other)
    with pytest.raises(ValueError, match=f"{told}.*; --partial takes those that fit"):
        take_weights(state(1.0), method(), folder)
    made, _ = take_weights(state(1.0), method(), folder, partial=True)
    assert values(made.params["encoder"]) == [2.0]
    assert values(made.params["head"]) == [2.0 if other.params.get("extra") else 1.0]
    assert told.split(" fit")[0] in caplog.text


def test_a_run_without_anything_that_fits(runs):
    with pytest.raises(
        ValueError, match="0 of 4 arrays fit.*only there: params/other/kernel, extra/batch_stats/other/mean$"
    ):
        take_weights(state(1.0), method(), runs(state(2.0, ("other",))), partial=True)


def test_the_patches_of_pictures_become_those_of_clips(runs, caplog):
    def embedding(rows, value):
        made = state(value)
        kernel = value * jnp.arange(rows * 2.0).reshape(rows, 2)
        return made.replace(params={**made.params, "encoder": {"patch_embed": {"kernel": kernel}}})

    folder, clips = runs(embedding(3, 2.0)), SimpleNamespace(teacher=None, fields={"video"})
    (folder / "data.json").write_text(json.dumps({"spec": {"image": [[4, 4, 3], "uint8"]}}))
    made, record = take_weights(embedding(6, 1.0), clips, folder)
    still = np.asarray(embedding(3, 2.0).params["encoder"]["patch_embed"]["kernel"])
    found = np.asarray(made.params["encoder"]["patch_embed"]["kernel"])
    np.testing.assert_array_equal(found, np.concatenate([still, still]) / 2)  # a clip that stands still is its picture
    assert "4 of 4 arrays fit; params/encoder/patch_embed/kernel for 2 frames" in caplog.text and not record["left"]
    for rows, method_, spec in ((7, clips, "image"), (6, method(), "image"), (6, clips, "video")):
        (folder / "data.json").write_text(json.dumps({"spec": {spec: []}}))
        with pytest.raises(ValueError, match=rf"of another shape: .*kernel \(3, 2\) there, \({rows}, 2\) here"):
            take_weights(embedding(rows, 1.0), method_, folder)


def test_no_run_there(tmp_path):
    with pytest.raises(ValueError, match="--init-from .*no checkpoint in .*; give the workdir of a run"):
        take_weights(state(1.0), method(), tmp_path)
