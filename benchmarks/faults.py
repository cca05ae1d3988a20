"""Does a run survive? Injects faults into tiny runs of the command, and tabulates what came of each.

python benchmarks/faults.py --methods simclr,mae

The recipes are the tiny ones of the test suite. A row is a fault, a column a method. Where a run goes on after its fault, its
last state is compared with that of an undisturbed run, array by array, by the fingerprints in their checkpoints. Processes
are really killed, files really broken, and disks full by the kernel's own refusal.
"""

import argparse
import functools
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests")]

import fault_files as files  # noqa: E402

STEPS, EVERY = 24, 6
FAULTS: dict[str, Callable[["Campaign"], str]] = {}


def fault(title: str):
    """Registers a fault: a function that injects it and returns what came of it; AssertionError if that is wrong."""
    return lambda function: FAULTS.setdefault(title, function)


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

    def start(self, workdir, *overrides: str, env: dict | None = None, file_size: int | None = None):
        """Starts the command in a session of its own; files may not grow past ``file_size`` bytes."""
        options = [f"--config.run.checkpoint_every={EVERY}", "--config.run.keep=9", "--config.run.log_every=2"]
        command = [sys.executable, "-m", "jssl.cli", "pretrain", "--config", self.recipe, "--workdir", str(workdir)]
        settings = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_backend_optimization_level=0"}
        settings |= {"JAX_COMPILATION_CACHE_DIR": str(self.folder / "cache")}
        settings |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        return subprocess.Popen(
            [*command, "--no-progress", *options, *overrides],
            env=os.environ | settings | (env or {}),
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=file_size and (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))),
        )

    def run(self, workdir, *overrides: str, code: int = 0, **options) -> str:
        """Runs the command to its end, which must have this exit code; what it said on stderr."""
        process = self.start(workdir, *overrides, **options)
        _, errors = process.communicate(timeout=900)
        assert process.returncode == code, f"exit code {process.returncode}, not {code}: {errors[-300:]}"
        return errors

    @functools.cached_property
    def straight(self) -> pathlib.Path:
        """The workdir of the undisturbed run."""
        self.run(self.folder / "straight")
        return self.folder / "straight"

    def interrupted(self, name: str) -> pathlib.Path:
        """A workdir as after a kill between the last checkpoint but one and the end."""
        workdir = self.folder / name
        shutil.copytree(self.straight, workdir)
        shutil.rmtree(workdir / "checkpoints" / str(STEPS))
        return workdir

    def same(self, workdir: pathlib.Path) -> str:
        """Asserts that a run ended as the undisturbed one."""
        ends = [files.fingerprints(folder, STEPS) for folder in (workdir, self.straight)]
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


def one_line(errors: str, part: str) -> str:
    """Asserts that a command said one line, with ``part`` in it."""
    lines = errors.strip().splitlines()
    assert len(lines) == 1 and part in lines[0], f"not one line with {part!r}: {errors[-300:]}"
    return "one line"


@fault("SIGKILL at random moments")
def killed(c: Campaign) -> str:
    workdir = c.folder / "killed"
    for _ in range(c.kills):
        process = c.start(workdir)
        c.started(workdir, process)
        time.sleep(c.random.uniform(0, 1))
        process.kill()
        process.communicate()
    return c.goes_on(workdir)


@fault("SIGKILL inside a save")
def killed_inside_a_save(c: Campaign) -> str:
    workdir = c.folder / "killed_saving"
    process = c.start(workdir)
    while process.poll() is None and not list((workdir / "checkpoints").glob("*orbax-checkpoint-tmp*")):
        time.sleep(0.0005)
    process.kill()
    process.communicate()
    return c.goes_on(workdir)


@fault("SIGTERM")
def terminated(c: Campaign) -> str:
    return stopped(c, signal.SIGTERM, 143)


@fault("SIGINT")
def interrupted(c: Campaign) -> str:
    return stopped(c, signal.SIGINT, 130)


def stopped(c: Campaign, number: int, code: int) -> str:
    workdir = c.folder / f"signal{number}"
    process = c.start(workdir)
    c.started(workdir, process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == code, f"exit code {process.returncode}: {errors[-300:]}"
    return f"exit code {code}, {c.goes_on(workdir)}"


@fault("newest checkpoint cut short")
def cut_short(c: Campaign) -> str:
    return broken(c, files.cut_short)


@fault("newest checkpoint, one bit flipped")
def flipped(c: Campaign) -> str:
    return broken(c, files.flip_a_bit)


@fault("newest checkpoint, its files emptied")
def emptied(c: Campaign) -> str:
    return broken(c, files.empty)


@fault("newest checkpoint, its record deleted")
def without_record(c: Campaign) -> str:
    return broken(c, files.delete_record)


def broken(c: Campaign, breaking: Callable) -> str:
    workdir = c.interrupted(breaking.__name__)
    breaking(workdir / "checkpoints" / str(STEPS - EVERY))
    return f"an older one is taken, {c.goes_on(workdir)}"


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
    errors = c.run(workdir, code=2, file_size=size - 1)
    assert "could not be written" in errors and "Traceback" not in errors, errors[-300:]
    return f"told, {c.goes_on(workdir)}"


@fault("disk full for metrics")
def quota(c: Campaign) -> str:
    workdir = c.interrupted("quota")
    size = (workdir / "metrics.jsonl").stat().st_size
    return f"{one_line(c.run(workdir, code=2, file_size=size - 200), 'metrics: cannot write')}, {c.goes_on(workdir)}"


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
        return "-"
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
        return "-"
    short, escaping = files.damaged_archives(c.folder / "archives")
    told = one_line(c.run(c.folder / "a1", f"--config.data.source=tar:{short}", code=2), short.name)
    c.run(c.folder / "a2", f"--config.data.source=tar:{escaping}")
    assert not (c.folder / "escaped.png").exists() and not (c.folder.parent / "escaped.png").exists()
    return f"short: {told}; nothing is written outside"


def attempt(title: str, campaign: Campaign) -> str:
    """What came of a fault, in a few words."""
    try:
        return FAULTS[title](campaign)
    except (AssertionError, subprocess.TimeoutExpired, OSError, ValueError) as error:
        return f"FAILED: {' '.join(str(error).split())}"


def table(outcomes: dict[str, dict[str, str]]) -> str:
    """Markdown: faults x methods."""
    methods = list(next(iter(outcomes.values())))
    lines = [["fault", *methods], ["---"] * (len(methods) + 1)]
    lines += [[title, *row.values()] for title, row in outcomes.items()]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n" for cells in lines)


def main(argv: list[str] | None = None) -> int:
    """Writes the table; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default="simclr,moco,dino,mae,causal_lm", help="names separated by commas")
    parser.add_argument("--faults", default=".", help="a part of the titles of those to inject")
    parser.add_argument("--kills", type=int, default=3, help="how often a run is killed at a random moment")
    parser.add_argument("--out", default=HERE / "results" / "faults.md", type=pathlib.Path)
    args = parser.parse_args(argv)
    titles = [title for title in FAULTS if args.faults in (".", title) or args.faults in title]
    outcomes: dict[str, dict[str, str]] = {title: {} for title in titles}
    for method in args.methods.split(","):
        with tempfile.TemporaryDirectory() as folder:
            campaign = Campaign(method, pathlib.Path(folder) / method, kills=args.kills)
            for title in titles:
                outcomes[title][method] = attempt(title, campaign)
                print(f"{method}: {title}: {outcomes[title][method]}", flush=True)
        done = ",".join(outcomes[titles[0]])  # a campaign that is stopped leaves what it has
        head = f"# Faults\n\n`python benchmarks/faults.py --methods {done} --kills {args.kills}`\n\n"
        args.out.write_text(f"{head}{table(outcomes)}")
    return int(any(cell.startswith("FAILED") for row in outcomes.values() for cell in row.values()))


if __name__ == "__main__":
    sys.exit(main())
