"""One run of benchmarks/quality.py, in a process of its own so that its peak memory is its own.

It counts the steps that the budget holds, trains through ``jssl.train.loop.pretrain`` and evaluates the frozen features
beside a random encoder and raw pixels.
"""

import argparse
import concurrent.futures
import hashlib
import json
import multiprocessing
import pathlib
import resource
import statistics
import sys
import time
import traceback

import jax

from jssl.config import load_config
from jssl.evaluation import baselines, protocols
from jssl.report.evaluate import load_run
from jssl.train import loop, online, setup
from jssl.train.metrics import read_metrics

FEWEST_STEPS = 10


def main(argv: list[str] | None = None) -> int:
    """Writes the figures of a run, or its error in one line, to ``--outcome``."""
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("recipe", "data", "workdir", "cache", "outcome"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--budget", type=float, required=True)
    args = parser.parse_args(argv)
    try:
        outcome = train_and_evaluate(args)
    except Exception as error:  # whatever it is, it belongs in the table; the log has the rest
        traceback.print_exc()
        outcome = {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]}
    pathlib.Path(args.outcome).write_text(json.dumps(outcome, indent=1))
    return 1 if "error" in outcome else 0


def train_and_evaluate(args) -> dict:
    """Figures of one run."""
    config = load_config(args.recipe, [f"data.source={args.data}", f"seed={args.seed}"])
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, spawn) as apart:  # the peak of this process is of training alone
        seconds = apart.submit(step_seconds, config, at_least=0.05 * args.budget).result()
    scale_steps(config, steps=fitting(args.budget, seconds))
    # Nothing but training happens inside the budget: the loop evaluates and saves at the last step alone.
    config.run.update({"eval_every": 0, "checkpoint_every": config.steps})
    config.run.log_every = max(1, min(config.run.log_every, config.steps // FEWEST_STEPS))
    if code := loop.pretrain(config, args.workdir, progress=False):
        raise SystemExit(code)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {
        "steps": config.steps,
        "seconds_per_step": seconds,
        **speed(read_metrics(args.workdir), config.data.batch_size),
        "peak_memory_mib": peak,
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        **evaluate(args.workdir, pathlib.Path(args.cache)),
        "config": config.to_dict(),
    }


def step_seconds(config, *, at_least: float) -> float:
    """Seconds per step, compiled and warm: the median of several measurements that take ``at_least`` seconds."""
    source = setup.open_data(config, "train")
    if not source.num_classes:
        raise ValueError(f"{config.data.source} has no labels to evaluate on")
    run = setup.build(config, source[0]["image"].shape)
    state, specs = run.init_state()
    step, batches = run.make_step(specs), setup.make_feed(config, source, run.mesh).iterate(0)
    taken: list[float] = []
    while len(taken) < 5 or sum(taken[2:]) < at_least:  # the first two compile and warm up
        start = time.perf_counter()
        for _ in range(2):
            state, metrics = step(state, next(batches))
        jax.block_until_ready(metrics)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[2:]) / 2


def fitting(budget: float, seconds_per_step: float) -> int:
    """Steps in the budget.

    >>> fitting(60.0, 0.25)
    240
    """
    steps = int(budget / seconds_per_step)
    if steps < FEWEST_STEPS:
        raise ValueError(f"{budget:g} s hold {steps} steps of {seconds_per_step:.2g} s; give at least {FEWEST_STEPS}")
    return steps


def scale_steps(config, *, steps: int) -> None:
    """Sets ``steps``, and stretches every length given in steps (``..._steps``) with it, to one at least."""
    factor = steps / config.steps

    def scale(section):
        for key, value in section.items():
            if hasattr(value, "items"):
                scale(value)
            elif key.endswith("_steps") and value:
                section[key] = max(1, round(value * factor))

    scale(config)
    config.steps = steps


def speed(metrics: list[dict], batch_size: int) -> dict:
    """Images per second (median) and minutes of training, from the lines of the loop.

    The first line holds the compilation, so its steps are counted at the median.
    """
    lines = [line for line in metrics if "loss" in line]
    rates = [line["images_per_second"] for line in lines]
    median = statistics.median(rates[1:] or rates)
    ends = [line["step"] + 1 for line in lines]
    counts = [end - start for start, end in zip([0, *ends], ends)]
    seconds = sum(count * batch_size / rate for count, rate in zip(counts, [median, *rates[1:]]))
    return {"images_per_second": median, "minutes": seconds / 60}


def evaluate(workdir: str, cache: pathlib.Path) -> dict:
    """k-NN, linear probe and RankMe of the trained encoder, of a random one and of raw pixels."""
    run, state, initial, train = load_run(workdir)
    test = setup.open_data(run.config, "test")
    (train_images, train_labels), (test_images, test_labels) = train.arrays(), test.arrays()

    def figures(features):
        names = ("knn", "linear", "collapse")
        found = protocols.evaluate(
            {"": features}, train_labels, test_labels, protocols=names, num_classes=train.num_classes
        )[""]
        return {name: found[name] for name in ("knn", "linear", "rankme")} | {"dimension": features[0].shape[1]}

    def encoder(state):
        return figures(tuple(online.encode(run, state, images) for images in (train_images, test_images)))

    # Equal for all methods, so the first one computes them.
    config = run.config
    data = [train.fingerprint, test.fingerprint]
    view = [config.image_size, config.eval_image_size, config.data.mean, config.data.std, config.dtype]
    return {
        "encoder": encoder(state),
        "random": cached(
            cache, "random", [*data, *view, config.encoder.to_dict(), config.seed], lambda: encoder(initial)
        ),
        "pixels": cached(cache, "pixels", data, lambda: figures(baselines.pixels(train_images, test_images))),
        "num_train": len(train_labels),
        "num_test": len(test_labels),
    }


def cached(folder: pathlib.Path, name: str, key: list, compute) -> dict:
    """What ``compute()`` gave for the same key before, read from a file."""
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:8]
    file = folder / f"{name}_{digest}.json"
    if not file.is_file():
        file.write_text(json.dumps(compute()))
    return json.loads(file.read_text())


if __name__ == "__main__":
    sys.exit(main())
