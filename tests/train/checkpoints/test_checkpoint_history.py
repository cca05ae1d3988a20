"""Checkpoints of another model, another run or another history are refused, and going back is allowed."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checkpoint_states import AXES, META, abstract, assert_same, files, make_mesh, make_state, names, two_saves
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from jssl.train.checkpoints import Checkpointer


def test_another_model_is_an_error_that_names_the_leaves(tmp_path):
    two_saves(tmp_path)
    wanted = abstract(make_state(width=32))
    wanted["params"]["dense"]["bias"] = jax.ShapeDtypeStruct((16,), jnp.bfloat16)
    del wanted["extra"]["mask"]
    wanted["extra"]["centre"] = jax.ShapeDtypeStruct((4,), jnp.float32)
    config = {"model": {"width": 32}, "optimizer": {"learning_rate": 0.1}}
    with pytest.raises(ValueError) as error:
        Checkpointer(tmp_path, every=1).restore(wanted, config=config)
    text = str(error.value)
    assert "\n" not in text and str(tmp_path) in text
    assert "params/dense/kernel is float32(16, 24) in the checkpoint and float32(32, 24) here" in text
    assert "params/dense/bias is float32(16,) in the checkpoint and bfloat16(16,) here" in text
    assert "config: model.width: 16 -> 32;" in text
    assert ", only in the checkpoint: extra/mask, only here: extra/centre; config" in text
    del wanted["params"]
    with pytest.raises(
        ValueError, match=r"only in the checkpoint: extra/mask, params/norm.scale, params/dense/bias, par"
    ):
        Checkpointer(tmp_path, every=1).restore(wanted)


def test_another_kind_of_key_is_an_error(tmp_path):
    with Checkpointer(tmp_path, every=1) as checkpoints:
        checkpoints.save(1, {"key": jax.random.key(0)}, META)
        with pytest.raises(ValueError, match=r"key is key<fry>\(\) in the checkpoint and key<rbg>\(\) here"):
            checkpoints.restore({"key": jax.random.key(0, impl="rbg")})


def test_no_walking_back_to_an_older_checkpoint_that_happens_to_fit(tmp_path):
    with Checkpointer(tmp_path, every=1) as checkpoints:
        checkpoints.save(1, make_state(width=16), META)
        checkpoints.save(2, make_state(width=32), META)
    with pytest.raises(ValueError, match="step 2 .* is of another model"):
        Checkpointer(tmp_path, every=1).restore(abstract(make_state(width=16)))


def test_layout_that_does_not_fit_is_an_error(tmp_path):
    two_saves(tmp_path)
    wanted = abstract(make_state())
    wanted["params"]["dense"]["kernel"] = jax.ShapeDtypeStruct(
        (16, 24), jnp.float32, sharding=NamedSharding(make_mesh(), P(None, AXES))
    )
    assert Checkpointer(tmp_path, every=1).restore(wanted)[2] == 2
    wanted["extra"]["image"] = jax.ShapeDtypeStruct(
        (16, 3), jnp.uint8, sharding=NamedSharding(make_mesh(), P(None, AXES))
    )
    with pytest.raises(ValueError, match=r"extra/image \(16, 3\) cannot be laid out"):
        Checkpointer(tmp_path, every=1).restore(wanted)


def test_going_back_to_an_earlier_step(tmp_path, caplog):
    with Checkpointer(tmp_path, every=1, keep=9) as checkpoints:
        for step in (1, 2, 3, 5):
            checkpoints.save(step, make_state(step), META)
    with Checkpointer(tmp_path, every=1, keep=9) as checkpoints:
        with pytest.raises(ValueError, match="no step 4 in .*; it holds 1, 2, 3, 5"):
            checkpoints.restore(abstract(make_state()), step=4)
        restored, _, step = checkpoints.restore(abstract(make_state()), step=2)
        assert step == 2
        assert_same(restored, make_state(2))
        assert checkpoints.steps() == [1, 2, 3, 5]  # nothing goes before something new is whole
        checkpoints.save(3, make_state(33), META)
    assert "checkpoint 5 in" in caplog.text and "given up" in caplog.text
    assert names(tmp_path) == ["1", "2", "3"]
    assert_same(Checkpointer(tmp_path, every=1).restore(abstract(make_state()))[0], make_state(33))


def test_explicit_step_that_is_broken_is_an_error(tmp_path):
    two_saves(tmp_path)
    shutil.rmtree(tmp_path / "2" / "state")
    with pytest.raises(ValueError, match="nothing whole to restore .*restore another step"):
        Checkpointer(tmp_path, every=1).restore(abstract(make_state()), step=2)


def test_a_new_run_does_not_write_into_the_folder_of_another(tmp_path):
    two_saves(tmp_path)
    before = files(tmp_path)
    for step in (1, 2):
        with pytest.raises(ValueError, match=f"{tmp_path} already holds step 2; restore it or use another folder"):
            Checkpointer(tmp_path, every=1).save(step, make_state(), META)
    assert files(tmp_path) == before


def test_wrong_input_is_refused_before_anything_is_written(tmp_path):
    checkpoints = Checkpointer(tmp_path / "run", every=1)
    with pytest.raises(ValueError, match="every leaf of the state must be a jax.Array; these are not: a/b, c"):
        checkpoints.save(1, {"a": {"b": 1}, "c": np.zeros(3)}, META)
    with pytest.raises(ValueError, match="two leaves of the state share a name: a/b"):
        checkpoints.save(1, {"a": {"b": jnp.zeros(3)}, "a/b": jnp.zeros(3)}, META)
    with pytest.raises(ValueError, match="meta must be JSON: TypeError: Object of type object"):
        checkpoints.save(1, {"a": jnp.zeros(3)}, {"config": object()})
    assert not (tmp_path / "run").exists()
