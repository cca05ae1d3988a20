"""A trained encoder beside a random one and raw pixels, and features of any data set written to a file."""

import json
import pathlib

import numpy as np

from jssl.config import read_json
from jssl.data import Source, open_source
from jssl.evaluation import baselines
from jssl.evaluation import protocols as suite
from jssl.train import online, setup
from jssl.train.checkpoint import Checkpointer


def load_run(workdir: str, source: Source | None = None):
    """The run in ``workdir`` with its newest whole checkpoint.

    Returns:
      (run, trained state, state at initialisation, training source).

    Raises:
      ValueError: no run or no whole checkpoint there.
    """
    folder = pathlib.Path(workdir)
    if not (folder / "config.json").is_file():
        raise ValueError(f"no run in {workdir}: config.json is missing; give the --workdir of jssl pretrain")
    config = read_json(folder / "config.json")
    source = source or setup.open_data(config, "train")
    run = setup.build(config, source[0]["image"].shape)
    initial, _ = run.init_state()
    with Checkpointer(setup.checkpoint_folder(folder), every=1) as checkpoints:
        restored = checkpoints.restore(setup.abstract(initial), config=config.to_dict())
    if restored is None:
        raise ValueError(
            f"no whole checkpoint in {setup.checkpoint_folder(folder)}; run jssl pretrain --workdir {workdir}"
        )
    return run, restored[0], initial, source


def evaluate_run(workdir: str, *, protocols: list[str], data: str | None = None, use_teacher: bool = False) -> dict:
    """Writes ``evaluation.json``: each protocol for the trained encoder, the random one and raw pixels; prints a table.

    Raises:
      ValueError: unknown protocol, a source without labels, a method without teacher.
    """
    suite.check(protocols)  # before minutes are spent on features
    run, state, initial, train = load_run(workdir)
    if use_teacher and run.method.teacher is None:
        raise ValueError(f"{run.method.name} has no teacher; leave --teacher out")
    name = data or run.config.data.source
    if data:
        train = open_source(name, "train")
    test = open_source(name, "test")
    if not train.num_classes:
        raise ValueError(f"{name} has no labels to evaluate on; give a labelled set with --data")
    (train_images, train_labels), (test_images, test_labels) = train.arrays(), test.arrays()
    features = {
        "encoder": tuple(online.encode(run, state, x, use_teacher=use_teacher) for x in (train_images, test_images)),
        "random": tuple(online.encode(run, initial, x, use_teacher=use_teacher) for x in (train_images, test_images)),
        "pixels": baselines.pixels(train_images, test_images),
    }
    results = suite.evaluate(features, train_labels, test_labels, protocols=protocols, num_classes=train.num_classes)
    report = {
        "workdir": str(workdir),
        "data": name,
        "step": int(state.step),
        "which": "teacher" if use_teacher else "student",
        "num_train": len(train_labels),
        "num_test": len(test_labels),
        "results": results,
    }
    pathlib.Path(workdir, "evaluation.json").write_text(json.dumps(report, indent=1))
    print(table(results))
    return report


def table(results: dict) -> str:
    """Markdown: one row per kind of features, one column per figure."""
    columns = list(dict.fromkeys(key for row in results.values() for key in row))
    lines = ["| features | " + " | ".join(columns) + " |", "| --- |" + " --- |" * len(columns)]
    for name, row in results.items():
        lines.append(f"| {name} | " + " | ".join(_cell(row.get(key)) for key in columns) + " |")
    return "\n".join(lines)


def _cell(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def embed_run(workdir: str, *, data: str, split: str, out: str, use_teacher: bool = False) -> None:
    """Writes features (N, D) float32 and labels (N,) int32 of a data set to ``out``.

    Raises:
      ValueError: a method without teacher, images of another size than the run's.
    """
    run, state, _, _ = load_run(workdir)
    if use_teacher and run.method.teacher is None:
        raise ValueError(f"{run.method.name} has no teacher; leave --teacher out")
    images, labels = open_source(data, split).arrays()
    np.savez(out, features=online.encode(run, state, images, use_teacher=use_teacher), labels=labels)
    print(f"{out}: {len(labels)} features")
