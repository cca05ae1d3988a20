"""Faults of runs of two processes, which launch/local.py starts, and starts again where one was lost."""

import contextlib
import functools
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence

import fault_files as files
from fault_campaign import Campaign
from fault_list import fault

HERE = pathlib.Path(__file__).parent
TWO = [sys.executable, str(HERE.parent / "launch" / "local.py"), "-n", "2", "--heartbeat", "10", "--"]
"""What stands before the command. A process that is silent for 10 seconds is taken for dead."""


@contextlib.contextmanager
def two(c: Campaign, workdir: pathlib.Path) -> Iterator[tuple[subprocess.Popen, list[int]]]:
    """A run of two processes that has logged something: its launcher, and the processes, the first one first."""
    launcher = c.start(workdir, launcher=TWO)
    try:
        c.started(workdir, launcher)
        found = Campaign.children(launcher)
        yield launcher, [pid for _, pid in sorted((number(pid), pid) for pid in found)]
    finally:
        for pid in Campaign.children(launcher):
            os.kill(pid, signal.SIGKILL)
        launcher.kill()


def number(pid: int) -> int:
    """Which of the processes of its run it is."""
    (told,) = [
        v for v in pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if v.startswith(b"JSSL_PROCESS=")
    ]
    return int(told.partition(b"=")[2])


def lost(c: Campaign, how: signal.Signals, whom: int) -> str:
    """One of two is killed or hangs: all are started again."""
    workdir = c.folder / f"two_{how.name}_{whom}"
    with two(c, workdir) as (launcher, processes):
        os.kill(processes[whom], how)
        _, errors = launcher.communicate(timeout=600)
    assert launcher.returncode == 0, f"exit code {launcher.returncode}: {errors[-300:]}"
    assert "starting all 2 processes again" in errors, errors[-300:]
    if how == signal.SIGKILL:
        assert f"process {whom} (pid {processes[whom]}) was killed by SIGKILL" in errors, errors[-300:]
    return f"started again, {c.same(workdir, c.straight_of(TWO))}"


def ended(c: Campaign, whom: Sequence[int]) -> str:
    """SIGTERM: all save the same step, and go on from there."""
    workdir = c.folder / f"two_SIGTERM_{len(whom)}"
    with two(c, workdir) as (launcher, processes):
        for each in whom:
            os.kill(processes[each], signal.SIGTERM)
        _, errors = launcher.communicate(timeout=600)
    assert launcher.returncode == 143, f"exit code {launcher.returncode}: {errors[-300:]}"
    assert errors.count("SIGTERM: saved step") == 1, errors[-300:]
    c.run(workdir, launcher=TWO)
    return f"exit code 143, {c.same(workdir, c.straight_of(TWO))}"


for how in (signal.SIGKILL, signal.SIGSTOP):
    for whom, name in enumerate(("first", "second")):
        fault(f"{how.name} of the {name} of two processes")(functools.partial(lost, how=how, whom=whom))
fault("SIGTERM to one of two processes")(functools.partial(ended, whom=[1]))
fault("SIGTERM to both of two processes")(functools.partial(ended, whom=[0, 1]))


@fault("two processes instead of one")
def more_processes(c: Campaign) -> str:
    workdir = c.interrupted("more_processes")
    c.run(workdir, launcher=TWO)
    return f"largest relative difference of the loss {files.loss_difference(workdir, c.straight):.0e}"


@fault("one process instead of two")
def fewer_processes(c: Campaign) -> str:
    straight = c.straight_of(TWO)
    workdir = c.interrupted("fewer_processes", straight)
    c.run(workdir)
    return f"largest relative difference of the loss {files.loss_difference(workdir, straight):.0e}"
