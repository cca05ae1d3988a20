"""Where the time goes between the command and the first line of the log, without compiled programs and with them.

python benchmarks/startup.py [--config quickstart] [--config.key=value ...]

Starts ``jssl pretrain`` twice in processes of their own, with one new compilation cache, and prints a table: seconds on the
clock, and seconds of all cores, which a busy machine changes less.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
import time

from jssl import compilation_cache

STAGES = ("imports", "data opened, method built", "initial state", "training data ready", "first step", "first line")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="quickstart", help="a recipe")
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)  # in the process that is timed
    args, overrides = parser.parse_known_args()
    if args.began:
        timed(args.config, [word.removeprefix("--config.") for word in overrides], args.began)
    runs = []
    with tempfile.TemporaryDirectory() as cache:
        for _ in ("cold", "warm"):
            command = [sys.executable, __file__, "--config", args.config, *overrides, "--began", str(time.time())]
            done = subprocess.run(
                command, env={**os.environ, "XDG_CACHE_HOME": cache}, stdout=subprocess.PIPE, check=True
            )
            runs.append(json.loads(done.stdout))
    print(table(*runs))
    return 0


def table(cold: list, warm: list) -> str:
    """Markdown. A run is the seconds at which each stage ended, [clock, cores], in the order of ``STAGES``.

    >>> print(table([[1, 1], [2, 2], [4, 5], [5, 6], [9, 12], [10, 13]], [[1, 1], [2, 2], [3, 3], [4, 4], [5, 5], [6, 6]]))
    | until | cold: s | core s | warm: s | core s |
    | --- | --- | --- | --- | --- |
    | imports | 1.0 | 1.0 | 1.0 | 1.0 |
    | data opened, method built | 1.0 | 1.0 | 1.0 | 1.0 |
    | initial state | 2.0 | 3.0 | 1.0 | 1.0 |
    | training data ready | 1.0 | 1.0 | 1.0 | 1.0 |
    | first step | 4.0 | 6.0 | 1.0 | 1.0 |
    | first line | 1.0 | 1.0 | 1.0 | 1.0 |
    | total | 10.0 | 13.0 | 6.0 | 6.0 |
    """
    rows = [["until", "cold: s", "core s", "warm: s", "core s"], ["---"] * 5]
    before = [0.0] * 4
    for name, ends in zip(STAGES, zip(cold, warm)):
        now = [value for end in ends for value in end]
        rows.append([name, *(f"{end - start:.1f}" for start, end in zip(before, now))])
        before = now
    rows.append(["total", *(f"{value:.1f}" for value in before)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def timed(recipe: str, overrides: list[str], began: float) -> None:
    """Runs up to the first line of the log, prints when each stage ended, and leaves."""
    compilation_cache.enable()
    from jssl.config import load_config
    from jssl.train import loop, setup
    from jssl.train.metrics import MetricsWriter
    from jssl.train.progress import Progress

    ends = []

    def mark():
        ends.append([time.time() - began, time.process_time()])
        if len(ends) == len(STAGES):
            print(json.dumps(ends), flush=True)
            os._exit(0)

    def after(owner, name):
        function = getattr(owner, name)

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            result = function(*args, **kwargs)
            mark()
            return result

        setattr(owner, name, wrapped)

    mark()
    after(setup, "build")
    after(setup.Run, "init_state")
    after(setup, "make_feed")
    after(Progress, "first_step")
    after(MetricsWriter, "write")
    with tempfile.TemporaryDirectory() as workdir:
        loop.pretrain(load_config(recipe, overrides), workdir)


if __name__ == "__main__":
    sys.exit(main())
