"""Tiny runs of one method through the command, which a fault may be injected into."""

import functools
import json
import os
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence

import fault_files

STEPS, EVERY = 24, 6
"""Of a run, and between two checkpoints."""


class Campaign:
    """Tiny runs of one method.

    Args:
      method: its name.
      folder: for all that they write.
      kills: how often a run is killed at a random moment.
    """

    def __init__(self, method: str, folder: pathlib.Path, *, kills: int = 3):
        from runs import write_recipe

        self.method, self.folder, self.kills = method, folder, kills
        folder.mkdir(parents=True, exist_ok=True)
        self.recipe = write_recipe(folder, method, STEPS)
        self.random = random.Random(method)

    def start(
        self,
        workdir,
        *overrides: str,
        launcher: Sequence[str] = (),
        env: dict | None = None,
        file_size: int | None = None,
    ):
        """Starts the command, behind a launcher if there is one, in a session of its own; files may not grow past
        ``file_size`` bytes."""
        options = [f"--config.run.checkpoint_every={EVERY}", "--config.run.keep=9", "--config.run.log_every=2"]
        command = [sys.executable, "-m", "jssl.cli", "pretrain", "--config", self.recipe, "--workdir", str(workdir)]
        settings = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_backend_optimization_level=0"}
        settings |= {"JAX_COMPILATION_CACHE_DIR": str(self.folder / "cache")}
        settings |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        process = subprocess.Popen(
            [*launcher, *command, "--no-progress", *options, *overrides],
            env=os.environ | settings | (env or {}),
            stdout=subprocess.DEVNULL,  # where Gloo writes
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if file_size:  # not by preexec_fn, which would fork a process that has threads of JAX
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file_size, file_size))
        return process

    def run(self, workdir, *overrides: str, code: int = 0, **options) -> str:
        """Runs the command to its end, which must have this exit code; what it said on stderr."""
        process = self.start(workdir, *overrides, **options)
        try:
            _, errors = process.communicate(timeout=900)
        finally:
            process.kill()  # one that hangs; of another nothing is left to kill
        assert process.returncode == code, f"exit code {process.returncode}, not {code}: {errors[-300:]}"
        return errors

    @functools.cached_property
    def straight(self) -> pathlib.Path:
        """The workdir of the undisturbed run."""
        self.run(self.folder / "straight")
        return self.folder / "straight"

    def straight_of(self, launcher: Sequence[str]) -> pathlib.Path:
        """The workdir of an undisturbed run of several processes."""
        workdir = self.folder / "straight_of_several"
        if not workdir.exists():
            self.run(workdir, launcher=launcher)
        return workdir

    @functools.cached_property
    def seconds(self) -> float:
        """How long a run takes whose programs are compiled already."""
        assert self.straight.exists()
        began = time.monotonic()
        self.run(self.folder / "timed")
        return time.monotonic() - began

    def interrupted(self, name: str, straight: pathlib.Path | None = None) -> pathlib.Path:
        """A workdir as after a kill between the last checkpoint but one and the end."""
        workdir = self.folder / name
        shutil.copytree(straight or self.straight, workdir)
        shutil.rmtree(workdir / "checkpoints" / str(STEPS))
        return workdir

    def same(self, workdir: pathlib.Path, straight: pathlib.Path | None = None) -> str:
        """Asserts that a run ended as the undisturbed one."""
        ends = [fault_files.fingerprints(folder, STEPS) for folder in (workdir, straight or self.straight)]
        assert ends[0] == ends[1], (
            f"{sum(ends[0].get(k) != v for k, v in ends[1].items())} of {len(ends[1])} arrays differ"
        )
        lines = [json.loads(line)["step"] for line in (workdir / "metrics.jsonl").read_text().splitlines()]
        assert lines == sorted(lines), "metrics.jsonl has a step twice"
        return "bit-identical"

    def goes_on(self, workdir: pathlib.Path, *overrides: str, **options) -> str:
        """Runs the same command and compares."""
        self.run(workdir, *overrides, **options)
        return self.same(workdir)

    def started(self, workdir: pathlib.Path, process) -> None:
        """Waits until a run has logged something."""
        log = workdir / "metrics.jsonl"
        before = log.stat().st_mtime_ns if log.exists() else 0
        while process.poll() is None and not (log.exists() and log.stat().st_mtime_ns > before and log.stat().st_size):
            time.sleep(0.005)

    @staticmethod
    def children(process) -> list[int]:
        """The processes that one has started, and that have not been waited for."""
        try:
            return [
                int(pid) for pid in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            ]
        except OSError:  # it has ended
            return []


def one_line(errors: str, part: str) -> str:
    """Asserts that a command said one line, with ``part`` in it."""
    lines = errors.strip().splitlines()
    assert len(lines) == 1 and part in lines[0], f"not one line with {part!r}: {errors[-300:]}"
    return "one line"
