"""Real runs of the command that are killed, stopped, deleted or run in a thread."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import chex
import jax
import numpy as np
import pytest
from runs import final_state, write_recipe

from jssl.cli import main
from jssl.train import loop

pytestmark = pytest.mark.xdist_group("cli")  # one worker makes the finished run that most tests read


def start(recipe, workdir, cache, *overrides):
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "JAX_COMPILATION_CACHE_DIR": str(cache)}
    environment |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    environment["XLA_FLAGS"] = "--xla_backend_optimization_level=0"  # one device, as users have
    command = [sys.executable, "-m", "jssl.cli", "pretrain", "--config", recipe]
    command += ["--workdir", str(workdir), "--no-progress", *overrides]
    # A group of its own, as a shell makes one: Ctrl-C reaches its workers, too.
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)


def shared_memory() -> set:
    folder = pathlib.Path("/dev/shm")
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def gone(group: int) -> bool:
    """Whether all processes of a group end within ten seconds."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def steps_logged(workdir) -> int:
    log = workdir / "metrics.jsonl"
    return log.read_text().count('"loss"') if log.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ("dino", "moco", "swav"))  # teacher and centre, keys and queue, a late start
def test_killed_at_a_random_step_and_run_again_ends_bit_identical(name, tmp_path):
    recipe = write_recipe(tmp_path, name, 60)
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    process = start(recipe, straight, tmp_path / "cache")
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors

    process = start(recipe, killed, tmp_path / "cache")
    wanted = int(np.random.default_rng(abs(hash(name)) % 1000).integers(3, 12))
    while steps_logged(killed) < wanted and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "the run ended before it was killed"
    process = start(recipe, killed, tmp_path / "cache")
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors

    (expected, last), (state, step) = final_state(straight), final_state(killed)
    assert step == last == 60
    chex.assert_trees_all_equal(state, expected)


@pytest.mark.slow
def test_sigterm_saves_and_asks_to_be_requeued(tmp_path):
    recipe = write_recipe(tmp_path, "mae", 100_000)
    process = start(recipe, tmp_path / "w", tmp_path / "cache")
    while steps_logged(tmp_path / "w") < 2 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 143 and "run the same command to continue" in errors
    _, step = final_state(tmp_path / "w")
    assert step >= 3 and jax.device_count() == 8  # read back on other devices than it was written on


@pytest.mark.slow
@pytest.mark.parametrize("twice", [False, True])
def test_ctrl_c_leaves_no_worker_and_no_shared_memory_behind(twice, tmp_path):
    recipe, before = write_recipe(tmp_path, "mae", 100_000), shared_memory()
    workers = ["--config.data.feed=grain", "--config.data.options.num_workers=2"]
    process = start(recipe, tmp_path / "w", tmp_path / "cache", *workers)
    while steps_logged(tmp_path / "w") < 2 and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    if twice:
        while "interrupted" not in process.stderr.readline():
            pass
        os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in errors, errors
    assert gone(process.pid) and shared_memory() <= before
    if not twice:
        assert "SIGINT: saved step" in errors and errors.strip().count("\n") == 1
        assert final_state(tmp_path / "w")[1] >= 3


def when(step, act, monkeypatch):
    """``act()`` once the step has been started."""
    add = loop.Log.add

    def acting(self, number, *rest):
        add(self, number, *rest)
        if number == step:
            act()

    monkeypatch.setattr(loop.Log, "add", acting)


@pytest.mark.slow
@pytest.mark.parametrize(("step", "code"), [(6, 143), (7, 0)])
def test_a_signal_on_the_last_step_finds_nothing_to_requeue(step, code, tmp_path, monkeypatch):
    def terminate():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.5)  # the watcher's

    when(step, terminate, monkeypatch)
    recipe = write_recipe(tmp_path, "mae", 8)
    assert main(["pretrain", "--config", recipe, "--workdir", str(tmp_path / "w"), "--no-progress"]) == code
    assert (tmp_path / "w" / "checkpoints" / str(step + 1)).is_dir() and not (tmp_path / "w" / "lock").exists()


@pytest.mark.slow
def test_a_workdir_that_is_deleted_ends_its_run(tmp_path, monkeypatch, capsys):
    workdir = tmp_path / "w"
    when(7, lambda: shutil.rmtree(workdir), monkeypatch)
    arguments = ["pretrain", "--config", write_recipe(tmp_path, "mae", 8), "--workdir", str(workdir)]
    assert main([*arguments, "--no-progress", "--config.run.checkpoint_every=100"]) == 2
    assert f"{workdir} was deleted" in capsys.readouterr().err and not workdir.exists()


@pytest.mark.slow
def test_a_run_in_a_thread_says_what_goes_on(tmp_path, capsys):
    recipe, codes = write_recipe(tmp_path, "mae", 8), []
    arguments = ["pretrain", "--config", recipe, "--workdir", str(tmp_path / "w")]
    thread = threading.Thread(target=lambda: codes.append(main(arguments)))
    thread.start()
    thread.join()
    told = capsys.readouterr().err
    assert codes == [0]
    for line in (
        "80 examples of 10 classes",
        "compiling",
        "first step done after",
        "finished: 8 steps in",
        "knn",
        "next: ",
    ):
        assert f"jssl: {line}" in told or f", {line}" in told
    rows = [json.loads(line) for line in (tmp_path / "w" / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows if "loss" in row] == [0.2, 0.6, 1.2, 1.6]
    assert rows[1]["learning_rate"] == pytest.approx(0.03) and rows[1]["weight_decay"] == pytest.approx(1e-4)
