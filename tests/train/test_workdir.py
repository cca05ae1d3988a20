"""The lock of a workdir: one run at a time, nothing left of a dead one, no run goes on without its folder."""

import json
import multiprocessing
import os
import pathlib
import shutil
import signal
import socket
import tempfile
import time

import pytest

from jssl.train import workdir
from jssl.train.workdir import locked, workdir_path


def hold(folder, entered):
    """In another process: takes the lock and keeps it."""
    with locked(folder):
        entered.set()
        signal.pause()


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock on tmp_path / "run"."""
    context = multiprocessing.get_context("fork")  # a fresh interpreter would import jax
    entered = context.Event()
    process = context.Process(target=hold, args=(tmp_path / "run", entered))
    process.start()
    assert entered.wait(60)
    yield process
    process.kill()
    process.join()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning", "ignore:.*fork:RuntimeWarning")
def test_a_second_run_is_refused_until_the_first_is_dead(tmp_path, holder, caplog):
    folder = tmp_path / "run"
    with pytest.raises(
        ValueError, match=rf"is going on in {folder} \(host {socket.gethostname()}, process {holder.pid}"
    ):
        with locked(folder):
            pass
    holder.kill()
    holder.join()
    with locked(folder) as check:
        check()
        assert json.loads((folder / "lock").read_text())["pid"] == os.getpid()
    assert f"process {holder.pid}" in caplog.text and "taken over" in caplog.text


def test_the_lock_of_another_host_holds_while_it_is_renewed(tmp_path, caplog):
    path = tmp_path / "lock"
    path.write_text(json.dumps({"host": "node7", "pid": 1, "start": "2026-01-01"}))
    with pytest.raises(
        ValueError, match=r"host node7, process 1, since 2026-01-01\), or ended less than 5 minutes ago"
    ):
        with locked(tmp_path):
            pass
    os.utime(path, (path.stat().st_mtime - 301,) * 2)
    with locked(tmp_path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert not path.exists() and "taken over" in caplog.text


def test_a_run_renews_its_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(workdir, "_BEAT", 0.01)
    with locked(tmp_path):
        os.utime(tmp_path / "lock", (0, 0))
        deadline = time.monotonic() + 60
        while not (tmp_path / "lock").stat().st_mtime and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (tmp_path / "lock").stat().st_mtime


@pytest.mark.parametrize("content", ["", '{"host": "no'])
def test_a_torn_lock_is_nobodys(tmp_path, content):
    (tmp_path / "lock").write_text(content)
    with locked(tmp_path) as check:
        check()


@pytest.mark.parametrize("again", [False, True])
def test_a_deleted_workdir_is_noticed(tmp_path, again):
    folder = tmp_path / "run"
    with locked(folder) as check:
        check()
        shutil.rmtree(folder)
        if again:
            with locked(folder) as other:
                other()
                with pytest.raises(OSError, match=f"{folder} was deleted"):
                    check()
        else:
            with pytest.raises(OSError, match=f"{folder} was deleted"):
                check()


def test_nothing_is_left_where_nothing_was_written(tmp_path):
    for folder, stays in ((tmp_path / "new", False), (tmp_path / "old", True)):
        if stays:
            folder.mkdir()
        with pytest.raises(KeyError), locked(folder):
            raise KeyError
        assert folder.exists() is stays
    with locked(tmp_path / "new"):
        (tmp_path / "new" / "metrics.jsonl").touch()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["metrics.jsonl"]


def test_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert workdir_path("~/run") == tmp_path / "run"
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file; name a folder"):
        workdir_path("~/file")
    with pytest.raises(ValueError, match="workdir s3://bucket/run: runs are written to local or mounted folders"):
        workdir_path("s3://bucket/run")


def test_a_folder_that_may_not_be_written_is_told():
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o555)
        user = os.geteuid()
        if user == 0:  # root may write everywhere
            os.seteuid(65534)
        try:
            for folder in (pathlib.Path(parent), pathlib.Path(parent) / "new"):
                with pytest.raises(OSError, match=f"workdir {folder} cannot be written: Permission denied; fix"):
                    with locked(folder):
                        pass
        finally:
            if user == 0:
                os.seteuid(0)
            os.chmod(parent, 0o755)
