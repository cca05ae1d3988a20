"""Broken checkpoint files: an older whole one or a clear error comes back, never a wrong value."""

import shutil

import jax
import jax.numpy as jnp
import pytest
from checkpoint_states import META, abstract, assert_same, files, flip, make_mesh, make_state, names, put, two_saves

from jssl.train.checkpoints import Checkpointer


@pytest.mark.parametrize("place", [0.5, *(pytest.param(p, marks=pytest.mark.slow) for p in (0.05, 0.3, 0.7, 0.95))])
def test_flipped_bit_in_the_arrays_falls_back(tmp_path, caplog, capfd, place):
    wide = 2048  # the kernel fills most of the data file
    states = {step: make_state(step, width=wide) for step in (1, 2)}
    with Checkpointer(tmp_path, every=1) as checkpoints:
        for step, state in states.items():
            checkpoints.save(step, state, META)
    data = max(files(tmp_path / "2"), key=lambda p: p.stat().st_size)
    flip(data, int(data.stat().st_size * place))
    capfd.readouterr()
    with Checkpointer(tmp_path, every=1) as checkpoints:
        restored, meta, step = checkpoints.restore(abstract(states[1]))
        assert step == meta["step"] == 1
        assert_same(restored, states[1])
        assert [r.name for r in caplog.records] == ["jssl.train.checkpoints.checkpointer"]
        message = caplog.records[0].getMessage()
        assert message.startswith(f"checkpoint 2 in {tmp_path} is not whole and is skipped: ") and "\n" not in message
        assert "Traceback" not in capfd.readouterr().err
        assert checkpoints.save(2, states[2], META)  # the broken one is written again
    caplog.clear()
    restored, _, step = Checkpointer(tmp_path, every=1).restore(abstract(states[1]))
    assert step == 2 and not caplog.records
    assert_same(restored, states[2])


@pytest.mark.slow
def test_whatever_happens_to_any_file_no_wrong_value_is_restored(tmp_path):
    def small(step):
        return put({"x": jax.random.normal(jax.random.key(step), (16, 8)), "step": jnp.int32(step)}, make_mesh())

    states = {step: small(step) for step in (1, 2)}
    with Checkpointer(tmp_path / "run", every=1) as checkpoints:
        for step, state in states.items():
            checkpoints.save(step, state, META)
    wanted, steps = abstract(states[1]), []
    for path in files(tmp_path / "run" / "2"):
        whole = path.read_bytes()
        for harm in ("start", "middle", "cut", "gone"):
            if whole and harm in ("start", "middle"):
                flip(path, 0 if harm == "start" else len(whole) // 2)
            elif harm == "gone":
                path.unlink()
            else:
                path.write_bytes(whole[: len(whole) // 2])
            restored, meta, step = Checkpointer(tmp_path / "run", every=1).restore(wanted)
            assert_same(restored, states[step])
            assert meta["step"] == step, (path, harm)
            path.write_bytes(whole)
            steps.append(step)
    assert 10 < steps.count(1) < len(steps)  # harm was done; and a few files do not matter (the layout at the save)


@pytest.mark.slow
def test_flipped_letter_in_the_record_is_not_taken_for_another_config(tmp_path, caplog):
    two_saves(tmp_path)
    record = tmp_path / "2" / "_CHECKPOINT_METADATA"
    text = record.read_text()
    for old, new in (("params/dense/kernel", "params/densd/kernel"), ('"width": 16', '"width": 17')):
        assert old in text
        record.write_text(text.replace(old, new))
        assert Checkpointer(tmp_path, every=1).restore(abstract(make_state()))[2] == 1
    assert [r.getMessage().split("skipped: ")[1] for r in caplog.records] == [
        "its record cannot be read: ValueError: its bits have changed"
    ] * 2
    with pytest.raises(ValueError, match="cannot read the record of .*/2: ValueError: its bits have changed"):
        Checkpointer(tmp_path, every=1).read_meta(2)


def test_nothing_whole_is_an_error_and_nothing_is_deleted(tmp_path, caplog):
    two_saves(tmp_path)
    for step in (1, 2):
        shutil.rmtree(tmp_path / str(step) / "state")
    before = files(tmp_path)
    checkpoints = Checkpointer(tmp_path, every=1)
    with pytest.raises(
        ValueError, match=r"nothing whole to restore in .*2: its arrays.*1: its arrays.*delete the folder"
    ):
        checkpoints.restore(abstract(make_state()))
    assert len(caplog.records) == 2
    with pytest.raises(ValueError, match="already holds step 2"):
        checkpoints.save(1, make_state(), META)
    assert files(tmp_path) == before


@pytest.mark.slow
def test_empty_folders_and_strange_names(tmp_path, caplog):
    assert Checkpointer(tmp_path / "none", every=1).restore(abstract(make_state())) is None
    assert Checkpointer(tmp_path / "none", every=1).latest_step() is None
    assert not (tmp_path / "none").exists()  # reading makes nothing
    assert Checkpointer(tmp_path, every=1).restore(abstract(make_state())) is None
    assert not caplog.records
    two_saves(tmp_path)
    (tmp_path / "3").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "4").write_text("a file")
    assert Checkpointer(tmp_path, every=1).restore(abstract(make_state()))[2] == 2
    with pytest.raises(ValueError, match="is a file; name a folder"):
        Checkpointer(tmp_path / "notes.txt", every=1)


def test_leftovers_of_a_kill_are_removed_by_the_next_writer_only(tmp_path):
    two_saves(tmp_path)
    shutil.copytree(tmp_path / "2", tmp_path / "3.orbax-checkpoint-tmp")
    shutil.copytree(tmp_path / "2", tmp_path / "0.deleted")
    (tmp_path / "7.notes").mkdir()
    with Checkpointer(tmp_path, every=1, keep=5) as checkpoints:
        assert checkpoints.latest_step() == 2
        assert checkpoints.restore(abstract(make_state()))[2] == 2
        assert len(names(tmp_path)) == 5
        checkpoints.save(3, make_state(3), META)
    assert names(tmp_path) == ["1", "2", "3", "7.notes"]
