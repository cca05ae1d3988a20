"""What the loop costs beside the step: ``jssl pretrain`` against the same step, jitted and fed a batch that is there.

python benchmarks/overhead.py [--config quickstart] [--steps 40] [--rounds 5] [--config.key=value ...]

In one process, in turn: a window of the loop (feed, signals, log, metrics, bar; no evaluation, no checkpoint in between), and
as many bare steps. Prints the median of the ratios of the rounds, as Markdown. The aim: at most 3 % slower.
"""

import argparse
import contextlib
import itertools
import statistics
import sys
import tempfile
import time

import jax

from jssl import compilation_cache
from jssl.config import load_config
from jssl.data.card import Card
from jssl.train import loop, setup


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="quickstart", help="a recipe")
    parser.add_argument("--steps", type=int, default=40, help="of a window")
    parser.add_argument("--rounds", type=int, default=5)
    args, overrides = parser.parse_known_args()
    compilation_cache.enable()
    config = load_config(args.config, [word.removeprefix("--config.") for word in overrides])
    config.steps = args.steps * args.rounds + 3
    config.optimizer.warmup = 0  # which may be longer than these few steps
    config.run.update({"eval_every": 0, "checkpoint_every": config.steps, "online_bank": 100, "online_queries": 64})
    bare = Bare(config)
    rows = []
    began = 0.0  # of the window

    def between(step: int) -> None:
        """After so many steps of the loop: its window ends, as many bare steps follow, the next one begins."""
        nonlocal began
        if step < 2 or (step - 2) % args.steps:
            return
        for array in jax.live_arrays():
            array.block_until_ready()
        now = time.perf_counter()
        if step > 2:
            rows.append((now - began, bare(args.steps)))
        began = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder, watched(between):
        loop.pretrain(config, folder, progress=False)
    print(table(args.config, args.steps, rows))
    return 0


class Bare:
    """The step of a run by itself, on one batch."""

    def __init__(self, config):
        source = setup.open_data(config, "train")
        run = setup.build(config, Card.of(source))
        self._state, specs = run.init_state()
        self._step = run.make_step(specs)
        self._batch = setup.make_feed(config, source, run.mesh).batch(0)
        self(2)

    def __call__(self, steps: int) -> float:
        """Seconds of so many steps."""
        began = time.perf_counter()
        metrics = None
        for _ in range(steps):
            self._state, metrics = self._step(self._state, self._batch)
        jax.block_until_ready(metrics)
        return time.perf_counter() - began


@contextlib.contextmanager
def watched(between):
    """The loop's feed tells ``between`` how many steps have been dispatched, before each batch that it hands out."""
    make = setup.make_feed

    def make_feed(*arguments):
        feed = make(*arguments)
        iterate = feed.iterate

        def told(start):
            with contextlib.closing(iterate(start)) as batches:
                for step in itertools.count():
                    between(step)
                    yield next(batches)

        feed.iterate = told
        return feed

    setup.make_feed = make_feed
    try:
        yield
    finally:
        setup.make_feed = make


def table(name: str, steps: int, rows: list[tuple[float, float]]) -> str:
    """Markdown of the rounds: seconds of the loop and of bare steps.

    >>> print(table("quickstart", 10, [(1.0, 1.0), (1.03, 1.0), (1.01, 1.0)]).splitlines()[-1])
    | median | | | 1.010 |
    """
    lines = [
        f"| {name}: {steps} steps of | the loop, ms a step | the bare step, ms a step | ratio |",
        "| --- | --- | --- | --- |",
    ]
    for number, (looped, alone) in enumerate(rows, 1):
        lines.append(
            f"| round {number} | {1e3 * looped / steps:.2f} | {1e3 * alone / steps:.2f} | {looped / alone:.3f} |"
        )
    lines.append(f"| median | | | {statistics.median(looped / alone for looped, alone in rows):.3f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
