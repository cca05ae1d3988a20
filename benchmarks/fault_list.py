"""The faults: each injects one into a run and says what came of it."""

import functools
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable

import fault_files as files
from fault_campaign import EVERY, STEPS, Campaign, one_line

FAULTS: dict[str, Callable[[Campaign], str]] = {}


def fault(title: str):
    """Registers a fault: a function that injects it and returns what came of it; AssertionError if that is wrong."""
    return lambda function: FAULTS.setdefault(title, function)


@fault("SIGKILL at random moments")
def killed(c: Campaign) -> str:
    done, folders = 0, itertools.count()
    workdir = c.folder / f"killed{next(folders)}"
    while done < c.kills:
        process = c.start(workdir)
        time.sleep(c.random.uniform(0, c.seconds))
        process.kill()
        _, errors = process.communicate()
        if process.returncode == -signal.SIGKILL:
            done += 1
        else:  # it was done before
            assert process.returncode == 0, errors[-300:]
            c.same(workdir)
            workdir = c.folder / f"killed{next(folders)}"
    return f"{done} kills, {c.goes_on(workdir)}"


@fault("SIGKILL inside a save")
def killed_inside_a_save(c: Campaign) -> str:
    assert c.straight.exists()  # compiled: what follows is a matter of milliseconds
    for attempt in range(5):
        workdir = c.folder / f"killed_saving{attempt}"
        process = c.start(workdir)
        while process.poll() is None and not list((workdir / "checkpoints").glob("*orbax-checkpoint-tmp*")):
            time.sleep(0.0005)
        process.kill()
        process.communicate()
        if process.returncode == -signal.SIGKILL:
            return c.goes_on(workdir)
    raise AssertionError("every save was over before the kill")


def stopped(c: Campaign, number: signal.Signals, code: int) -> str:
    workdir = c.folder / number.name
    process = c.start(workdir)
    c.started(workdir, process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == code, f"exit code {process.returncode}: {errors[-300:]}"
    return f"exit code {code}, {c.goes_on(workdir)}"


for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
    fault(number.name)(functools.partial(stopped, number=number, code=code))


def broken(c: Campaign, breaking: Callable) -> str:
    workdir = c.interrupted(breaking.__name__)
    breaking(workdir / "checkpoints" / str(STEPS - EVERY))
    return f"an older one is taken, {c.goes_on(workdir)}"


for how, breaking in {
    "cut short": files.cut_short,
    "one bit flipped": files.flip_a_bit,
    "its files emptied": files.empty,
    "its record deleted": files.delete_record,
}.items():
    fault(f"newest checkpoint, {how}")(functools.partial(broken, breaking=breaking))


@fault("every checkpoint broken")
def all_broken(c: Campaign) -> str:
    workdir = c.interrupted("all_broken")
    before = sorted((workdir / "checkpoints").iterdir())
    for checkpoint in before:
        files.empty(checkpoint)
    errors = c.run(workdir, code=2)
    assert (
        "nothing whole to restore" in errors.splitlines()[-1] and sorted((workdir / "checkpoints").iterdir()) == before
    )
    return "refused, nothing deleted"


@fault("disk full in a save")
def disk_full(c: Campaign) -> str:
    workdir = c.interrupted("disk_full")
    size = files.arrays(workdir / "checkpoints" / str(EVERY))[0].stat().st_size
    errors = c.run(workdir, code=2, file_size=size * 9 // 10)  # a later one may compress to a little less
    assert "could not be written" in errors and "Traceback" not in errors, errors[-300:]
    return f"told, {c.goes_on(workdir)}"


@fault("disk full for metrics")
def quota(c: Campaign) -> str:
    workdir = c.interrupted("quota")
    size = (workdir / "metrics.jsonl").stat().st_size
    return f"{one_line(c.run(workdir, code=2, file_size=size - 200), 'metrics: cannot write')}, {c.goes_on(workdir)}"


BOUND_BY_MODES = "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, 1); os.execvp(sys.argv[1], sys.argv[1:])"
"""Starts a command without CAP_DAC_OVERRIDE (prctl's PR_CAPBSET_DROP), by which root may write everywhere."""


@fault("workdir read-only")
def read_only(c: Campaign) -> str:
    workdir = c.interrupted("read_only")
    modes = {path: path.stat().st_mode for path in [workdir, *workdir.rglob("*")]}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    errors = c.run(workdir, code=2, launcher=[sys.executable, "-c", BOUND_BY_MODES])
    for path, mode in modes.items():
        path.chmod(mode)
    return f"{one_line(errors, 'cannot be written')}, {c.goes_on(workdir)}"


@fault("two runs in one workdir")
def two_runs(c: Campaign) -> str:
    workdir = c.folder / "two"
    first = c.start(workdir)
    while not (workdir / "lock").exists() and first.poll() is None:
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # or it might be done before the second one has started
    told = one_line(c.run(workdir, code=2), "a run is going on in")
    first.send_signal(signal.SIGCONT)
    _, errors = first.communicate(timeout=900)
    assert first.returncode == 0, errors[-300:]
    return f"second: {told}; first: {c.same(workdir)}"


@fault("a loss that is not finite")
def nonfinite(c: Campaign) -> str:
    overflow = ["--config.optimizer.learning_rate=1e30", "--config.optimizer.warmup=0"]
    told = one_line(c.run(c.folder / "nan", *overflow, code=1), "nonfinite.json")
    skip = c.run(c.folder / "skip", *overflow, "--config.run.on_nonfinite=skip", code=1)
    assert "updates were skipped, the run learns nothing more" in skip, skip[-300:]
    return f"stop: {told}; skip: told, and ended since most were"


@fault("data changed between two starts")
def data_changed(c: Campaign) -> str:
    workdir = c.interrupted("data_changed")
    config = json.loads((workdir / "config.json").read_text())
    other = config["data"]["source"].replace("num_examples=80", "num_examples=81")
    return f"refused in {one_line(c.run(workdir, f'--config.data.source={other}', code=2), 'data')}"


@fault("a process that reads data killed")
def reader_killed(c: Campaign) -> str:
    workdir, workers = c.folder / "reader", ["--config.data.feed=grain", "--config.data.options.num_workers=1"]
    process = c.start(workdir, *workers, "--config.steps=100000")
    c.started(workdir, process)
    for pid in files.children(process.pid):
        os.kill(pid, signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 2 and "was killed from outside" in errors and "Traceback" not in errors, errors[-300:]
    return "one line"


@fault("other feed and workers")
def other_feed(c: Campaign) -> str:
    return c.goes_on(c.interrupted("feed"), "--config.data.feed=grain", "--config.data.options.num_workers=1")


@fault("two devices instead of one")
def other_devices(c: Campaign) -> str:
    workdir = c.interrupted("devices")
    flags = "--xla_backend_optimization_level=0 --xla_force_host_platform_device_count=2"
    c.run(workdir, env={"XLA_FLAGS": flags})
    return f"largest relative difference of the loss {files.loss_difference(workdir, c.straight):.0e}"


@fault("clock set back")
def clock_set_back(c: Campaign) -> str:
    workdir = c.interrupted("clock")
    for path in [workdir, *workdir.rglob("*")]:
        os.utime(path, (time.time() + 86400 * 365,) * 2)
    return c.goes_on(workdir)


@fault("unreadable pictures")
def pictures(c: Campaign) -> str:
    if not files.reads_pictures(c.method):
        return "does not apply"
    source = files.damaged_pictures(c.folder / "pictures")
    data = "--config.data.feed=grain"
    told = one_line(c.run(c.folder / "p1", f"--config.data.source=folder:{source}", data, code=2), "cannot read")
    c.run(c.folder / "p2", f"--config.data.source=folder:{source}?on_error=skip", data)
    listed = (c.folder / "p2" / "replaced.txt").read_text().splitlines()
    assert len(listed) == 3, listed
    return f"stop: {told}; skip: replaced and listed"


@fault("archives cut short, or with members that escape")
def archives(c: Campaign) -> str:
    if not files.reads_pictures(c.method):
        return "does not apply"
    short, escaping = files.damaged_archives(c.folder / "archives")
    told = one_line(c.run(c.folder / "a1", f"--config.data.source=tar:{short}", code=2), short.name)
    c.run(c.folder / "a2", f"--config.data.source=tar:{escaping}")
    assert not (c.folder / "escaped.png").exists() and not (c.folder.parent / "escaped.png").exists()
    return f"short: {told}; nothing is written outside"
