"""Checkpoints that the disk does not take: told once, in one line, and the run can go on."""

import os
import pathlib
import resource
import tempfile

import jax
import pytest
from checkpoint_states import META, abstract, assert_same, make_mesh, make_state, names, put, two_saves

from jssl.train.checkpoints import Checkpointer


class file_size_limit:
    """No file of this process may grow past this: the kernel's own EFBIG, as a full disk gives ENOSPC."""

    def __init__(self, size):
        self.size = size

    def __enter__(self):
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.before[1]))

    def __exit__(self, *error):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


def big_state(seed):
    return put({"x": jax.random.normal(jax.random.key(seed), (512, 1024))}, make_mesh())


def assert_write_error(error, folder, step, number):
    text = str(error.value)
    assert text.startswith(
        f"checkpoint: step {step} could not be written to {folder}: {os.strerror(number)}; free space"
    )
    assert "\n" not in text and error.value.errno == number


@pytest.mark.parametrize("told_at", ["next save", "close", "exit"])
def test_a_disk_that_takes_no_more(tmp_path, caplog, capfd, told_at):
    states = {step: big_state(step) for step in (1, 2, 3)}
    checkpoints = Checkpointer(tmp_path, every=1)
    checkpoints.save(1, states[1], META)
    checkpoints.wait()
    with file_size_limit(1 << 18):
        if told_at == "exit":
            with pytest.raises(OSError) as error, checkpoints:
                checkpoints.save(2, states[2], META)
        else:
            checkpoints.save(2, states[2], META)  # asynchronous: it does not know yet
            with pytest.raises(OSError) as error:
                checkpoints.save(3, states[3], META) if told_at == "next save" else checkpoints.close()
    assert_write_error(error, tmp_path, 2, 27)
    assert "Traceback" not in capfd.readouterr().err and not caplog.records
    checkpoints.close()  # told once
    if told_at == "exit":
        assert checkpoints.restore(abstract(states[1]))[2] == 1
    assert checkpoints.save(2, states[2], META)  # there is room again
    checkpoints.close()
    assert names(tmp_path) == ["1", "2"]
    assert_same(checkpoints.restore(abstract(states[1]))[0], states[2])


def test_the_first_error_is_the_one_that_is_raised(tmp_path, caplog):
    with (
        file_size_limit(1 << 18),
        pytest.raises(KeyError, match="mine"),
        Checkpointer(tmp_path, every=1) as checkpoints,
    ):
        checkpoints.save(1, big_state(1), META)
        raise KeyError("mine")
    assert "could not be written" in caplog.text


def test_a_folder_that_may_not_be_written():
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o755)
        folder = pathlib.Path(parent) / "run"
        two_saves(folder)
        checkpoints, state = Checkpointer(folder, every=1), make_state(3)
        folder.chmod(0o555)
        user = os.geteuid()
        if user == 0:  # root may write everywhere
            os.seteuid(65534)
        try:
            with pytest.raises(OSError) as error:
                checkpoints.restore(abstract(state))
                checkpoints.save(3, state, META)
        finally:
            if user == 0:
                os.seteuid(0)
            folder.chmod(0o755)
        assert_write_error(error, folder, 3, 13)
        assert names(folder) == ["1", "2"]
        assert checkpoints.save(3, state, META)
        checkpoints.close()


@pytest.mark.parametrize("name", ["run[1]", "a\\b"])
def test_a_path_that_orbax_cannot_take_is_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(ValueError, match=r"in its path, where checkpoints cannot be found again; use a folder without"):
        Checkpointer(tmp_path / name / "checkpoints", every=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["a b", "a*", "a?", "a{b}", "a]b", "\u00e4", "a%20b", "a#b", "a\nb", "~a", "a$b", "!a"]
)
def test_other_odd_paths_are_taken(tmp_path, name):
    state = put({"x": jax.numpy.arange(4.0)}, make_mesh())
    with Checkpointer(tmp_path / name, every=1) as checkpoints:
        checkpoints.save(1, state, META)
    assert_same(Checkpointer(tmp_path / name, every=1).restore(abstract(state))[0], state)


def test_a_save_that_cannot_be_found_again_is_told(tmp_path, monkeypatch):
    """Whatever the reason: what Orbax merges from its parts must lie where it will be looked for."""
    checkpoints = Checkpointer(tmp_path, every=1)
    monkeypatch.setattr(Checkpointer, "_path", lambda self, step: self.folder / "elsewhere" / str(step))
    checkpoints.save(1, big_state(0), META)
    monkeypatch.undo()
    with pytest.raises(OSError, match="its arrays cannot be found again after they were written"):
        checkpoints.close()
