"""Runs of several processes, started one by one or by the launchers, as on a cluster but on this machine."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parents[2]
STEPS = 24  # of the undisturbed run


def environment(cache, **variables) -> dict[str, str]:
    """What a process of a run gets: one CPU device, fast compilation, and none of the tests' own settings."""
    return {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        **{name: str(value) for name, value in variables.items()},
    }


def pretrain(recipe, workdir, *overrides) -> list[str]:
    """The command of a run."""
    command = [sys.executable, "-m", "jssl.cli", "pretrain", "--config", str(recipe), "--workdir", str(workdir)]
    return [*command, "--no-progress", *(f"--config.{override}" for override in overrides)]


def start(command, cache, count=2, stdout=subprocess.DEVNULL, **variables) -> list[subprocess.Popen]:
    """So many processes of one run."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    own = [{"JSSL_COORDINATOR": f"localhost:{port}", "JSSL_PROCESSES": count, "JSSL_PROCESS": i} for i in range(count)]
    return [
        subprocess.Popen(
            command,
            env=environment(cache, **each, **variables),
            stdout=stdout,  # where Gloo's threads write
            stderr=subprocess.PIPE,
            text=True,
        )
        for each in own
    ]


def ends(processes, timeout=200) -> list[tuple[int, str]]:
    """(exit code, what was said) of each, within a time."""
    said = [process.communicate(timeout=timeout)[1] for process in processes]
    return [(process.returncode, text) for process, text in zip(processes, said)]


def wait_for(ready, processes, seconds=200) -> None:
    """Waits for ``ready()`` while all of them run."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "it does not get there"
        assert all(process.poll() is None for process in processes), [p.communicate() for p in processes]
        time.sleep(0.05)


def launch(program, arguments, command, cache, **variables) -> subprocess.Popen:
    """A program of launch/ with its arguments and the command after them."""
    return subprocess.Popen(
        [*program, *map(str, arguments), *command],
        env=environment(cache, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def local(arguments, command, cache, **variables) -> subprocess.Popen:
    """launch/local.py."""
    return launch([sys.executable, str(ROOT / "launch" / "local.py")], [*arguments, "--"], command, cache, **variables)


def lines(workdir) -> int:
    """Of the log of a run."""
    log = pathlib.Path(workdir) / "metrics.jsonl"
    return log.read_text().count('"loss"') if log.exists() else 0


def losses(workdir) -> list[float]:
    """Of every line of a log."""
    rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]
