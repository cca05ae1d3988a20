"""One run of benchmarks/quality.py, in a process of its own so that its peak memory is its own.

It counts the steps that the budget holds, trains through ``jssl.train.loop.pretrain`` and evaluates the frozen features
beside a random encoder and the raw input.
"""

import argparse
import concurrent.futures
import dataclasses
import hashlib
import json
import multiprocessing
import pathlib
import resource
import statistics
import sys
import time
import traceback
from collections.abc import Callable

import jax
import numpy as np
import quality_report

from jssl.config import load_config
from jssl.data.card import Card
from jssl.evaluation import Raw, protocols
from jssl.evaluation.intervals import SUFFIX
from jssl.methods import complete_options
from jssl.report.diagnose import diagnose_run
from jssl.report.run import Loaded, load_run
from jssl.train import loop, setup
from jssl.train.metrics import read_metrics

FEWEST_STEPS = 10
FIGURES = {"label": ("knn", "linear", "few_labels:n=10", "collapse"), "speaker": ("linear:target=speaker",)}
"""What is measured where the data say who is right."""
INPUTS = ("image", "video", "audio", "spectrogram")
"""The groups of options that say how examples enter."""


def main(argv: list[str] | None = None) -> int:
    """Writes the figures of a run, or its error in one line, to ``--outcome``."""
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("recipe", "data", "workdir", "cache", "outcome"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--seed", type=int, required=True)
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--budget", type=float)
    length.add_argument("--cpu-budget", type=float)
    length.add_argument("--steps", type=int)
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
    config = load_config(f"{args.recipe}:{variant(args.data)}", [f"data.source={args.data}", f"seed={args.seed}"])
    seconds = None
    if budget := args.budget or args.cpu_budget:
        spawn = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, spawn) as apart:  # the peak of this process is of training alone
            clock = time.process_time if args.cpu_budget else time.perf_counter
            seconds = apart.submit(step_seconds, config, clock, at_least=0.05 * budget).result()
    config.steps = args.steps or fitting(budget, seconds)
    # Nothing but training happens inside the budget: the loop evaluates and saves at the last step alone.
    config.run.update({"eval_every": 0, "checkpoint_every": config.steps, "log_every": "5 %"})
    if code := loop.pretrain(config, args.workdir, progress=False):
        raise SystemExit(code)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    loaded = load_run(args.workdir)
    return {
        "steps": config.steps,
        "seconds_per_step": seconds,
        **({} if args.cpu_budget else speed(read_metrics(args.workdir), config.data.batch_size)),
        "peak_memory_mib": peak,
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        **evaluate(loaded, pathlib.Path(args.cache)),
        **diagnosed(args.workdir),
        "config": loaded.run.config.to_dict(),  # every length in steps
    }


def variant(data: str) -> str:
    """The small recipe, made for the data set where recipes know its normalisation.

    >>> variant("tar:data/cifar10/*.tar.gz"), variant("folder:photos")
    ('small,cifar10', 'small')
    """
    return "small,cifar10" if "cifar10" in data else "small"


def measured(spec) -> list[str]:
    """The protocols that the fields of the data allow.

    >>> measured({"audio": ..., "speaker": ...})
    ['linear:target=speaker']
    """
    return [protocol for field, protocols in FIGURES.items() if field in spec for protocol in protocols]


def step_seconds(config, clock: Callable[[], float], *, at_least: float) -> float:
    """Seconds per step, compiled and warm: the median of several measurements that take ``at_least`` seconds by a clock."""
    source = setup.open_data(config, "train")
    protocols.check(measured(source.spec), spec=source.spec, data=config.data.source)  # before anything is trained
    run = setup.build(config, Card.of(source))
    state, specs = run.init_state()
    step, batches = run.make_step(specs), setup.make_feed(run.config, source, run.mesh).iterate(0)
    taken: list[float] = []
    while len(taken) < 5 or sum(taken[2:]) < at_least:  # the first two compile and warm up
        start = clock()
        for _ in range(2):
            state, metrics = step(state, next(batches))
        jax.block_until_ready(metrics)
        taken.append(clock() - start)
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


def speed(metrics: list[dict], batch_size: int) -> dict:
    """Examples per second (median) and minutes of training, from the lines of the loop.

    The first line has no rate, since its step compiled; it is counted at the median.
    """
    lines = [line for line in metrics if "loss" in line]
    median = statistics.median(line["examples_per_second"] for line in lines[1:])
    rates = [line.get("examples_per_second", median) for line in lines]
    ends = [line["step"] + 1 for line in lines]
    counts = [end - start for start, end in zip([0, *ends], ends)]
    seconds = sum(count * batch_size / rate for count, rate in zip(counts, rates))
    return {"examples_per_second": median, "minutes": seconds / 60}


def evaluate(loaded: Loaded, cache: pathlib.Path) -> dict:
    """Accuracies and RankMe of the trained encoder, of a random one and of the raw input."""
    config = loaded.run.config
    sources = {split: setup.open_data(config, split) for split in ("train", "test")}

    def figures(subject):
        found = protocols.evaluate({"": subject}, protocols=measured(subject.spec))[""]
        kept = {name: value for name, value in found.items() if name.removesuffix(SUFFIX) in quality_report.EVALUATED}
        return kept | {"dimension": subject.features("test").shape[1]}

    # Equal for all methods that read examples in the same way, so the first one computes them.
    data = [source.fingerprint for source in sources.values()]
    untrained = [*data, *reading(loaded, sources["test"][0])]
    return {
        "encoder": figures(loaded.encoder(sources)),
        "random": cached(cache, "random", untrained, lambda: figures(loaded.encoder(sources, trained=False))),
        "raw": cached(cache, "raw", data, lambda: figures(Raw(sources))),
        **{f"num_{split}": len(source) for split, source in sources.items()},
    }


def diagnosed(workdir: str) -> dict:
    """What ``jssl diagnose`` says of the run."""
    report = diagnose_run(workdir)
    return {"verdict": report["verdict"], "evidence": report["evidence"]}


def reading(loaded: Loaded, example: dict) -> list:
    """What the features of an untrained encoder hang on beside the data, as JSON.

    Args:
      loaded: the run.
      example: any; what its readout makes of it tells normalisation, and colorization's, which sees no colours, apart.
    """
    config = loaded.run.config
    options = config.method.to_dict()
    options = complete_options(options.pop("name"), options)
    inputs = {name: dataclasses.asdict(options[name]) for name in INPUTS if name in options}
    for group in inputs.values():
        group.pop("augment", None)  # of training alone
    method = loaded.run.method
    readout, first = next(iter(method.readouts.items()))
    seen = hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(first.prepare(example))))
    read = {"readout": readout, "reads": dict(method.reads)}
    return [inputs, options["encoder"], read, config.dtype, config.seed, seen.hexdigest()]


def cached(folder: pathlib.Path, name: str, key: list, compute) -> dict:
    """What ``compute()`` gave for the same key before, read from a file."""
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:8]
    file = folder / f"{name}_{digest}.json"
    if not file.is_file():
        file.write_text(json.dumps(compute()))
    return json.loads(file.read_text())


if __name__ == "__main__":
    sys.exit(main())
