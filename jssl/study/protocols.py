"""``jssl study protocols``: whether protocols agree which checkpoint, and which method, is the better one."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from jssl.evaluation import protocols as suite
from jssl.evaluation.words import parse, values
from jssl.report.compare import rank_agreement
from jssl.report.evaluate import table
from jssl.report.finetune import FineTuning
from jssl.report.run import Loaded, load_run
from jssl.study.frame import Run, Study, evaluated, sources
from jssl.train import setup
from jssl.train.checkpoints import Checkpointer

__all__ = ["STUDY"]

DATA = "synthetic:num_examples=2000"
STEPS = 90
KEPT = ("run.checkpoint_every=33.4 %", "run.keep=10")
"""The checkpoints that are ranked: at a third, two thirds and the end of a run."""
FROZEN = "knn:k=5+20,linear"
TUNED = "finetune:epochs=4&labels=25%&batch_size=64"
TUNED_FULL = "finetune:epochs=100"
METHODS = {"simclr": "SimCLR", "rotation": "rotation"}


@dataclasses.dataclass(frozen=True)
class Ranked(Run):
    """A row.

    Attributes:
      tuned: fine-tuning, as ``jssl evaluate`` takes it.
      labels: it is trained on labels; its one checkpoint is not fine-tuned.
    """

    tuned: str = TUNED
    labels: bool = False


def rows(data: str | None, full: bool) -> Sequence[Ranked]:
    """Methods without labels, and the same network trained on labels."""
    backbone, tuned = ("resnet18,cifar10", TUNED_FULL) if full else ("small,synthetic", TUNED)
    at = () if full and not data else (f"data.source={data or DATA}",)
    length = () if full else (f"steps={STEPS}", "run.eval_every=0")
    found = [
        Ranked(name, says, f"{name}:{backbone}", (*at, *length, *KEPT), tuned=tuned) for name, says in METHODS.items()
    ]
    last = (*at, *length, "run.checkpoint_every=100 %")
    return [*found, Ranked("supervised", "labels", f"supervised:{backbone}", last, tuned=tuned, labels=True)]


def measure(row: Ranked, folder: pathlib.Path) -> dict:
    """What is found of a run.

    Returns:
      ``says``; ``checkpoints``, step -> figure -> share: k-NN with 5 and 20 neighbours, linear, and fine-tuned; ``untrained``,
      the same of the encoder before training, not fine-tuned. Of the row of labels ``classifier``, the accuracy of the run itself,
      and ``from_scratch``, that of a network trained with the labels and steps of fine-tuning.
    """
    found: dict[str, Any] = {"says": row.says, "checkpoints": {}}
    for step in Checkpointer(setup.checkpoint_folder(folder), every=1).steps():
        loaded = load_run(folder, step=step)
        splits = sources(loaded, row.on)
        figures = evaluated(loaded, FROZEN if row.labels else f"{FROZEN},{row.tuned}", splits)
        found["checkpoints"][str(step)] = {name.partition("[")[0]: v for name, v in figures["encoder"].items()}
        found["untrained"] = figures["random"]
    if row.labels:
        encoder = loaded.encoder(splits)
        right = encoder.features("test", "classifier").argmax(1) == encoder.field("test", "label")
        found |= {"classifier": float(np.mean(right)), "from_scratch": _from_scratch(loaded, splits, row.tuned)}
    return found


def _from_scratch(loaded: Loaded, splits: dict, tuned: str) -> float:
    known = suite.PROTOCOLS["finetune"].options
    options = {**known, **values(parse(tuned)[0], known), "seed": 0}
    del options["seeds"]
    scratch = FineTuning(loaded, splits).supervised(options)
    assert scratch.finetune is not None
    return scratch.finetune(**options)["finetune"]


def together(found: list[dict], folder: pathlib.Path) -> dict:
    """``agreement``: what is ranked -> pairs of protocols, with Kendall's tau, as ``jssl compare`` has them: all checkpoints, the
    checkpoints of each run, and the last checkpoints of all methods."""
    del folder
    ranked: dict[str, dict] = {"all checkpoints": {}, "the methods": {}}
    for row in found:
        named = {f"{row['name']}@{step}": figures for step, figures in row["checkpoints"].items()}
        if "classifier" not in row:
            ranked["all checkpoints"] |= named
            ranked[f"checkpoints of {row['says']}"] = named
        ranked["the methods"] |= dict([list(named.items())[-1]])
    return {"agreement": {what: rank_agreement(runs) for what, runs in ranked.items()}}


def markdown(found: dict) -> str:
    """Checkpoints x protocols, %; then pairs of protocols x what is ranked, Kendall's tau."""
    shown: dict[str, dict[str, Any]] = {}
    for row in found["rows"]:
        shown[f"{row['says']}, untrained"] = _percent(row["untrained"])
        for step, figures in row["checkpoints"].items():
            shown[f"{row['says']}, step {step}"] = _percent(figures)
        if "classifier" in row:
            shown["labels, the run's own classifier"] = {"accuracy": 100 * row["classifier"]}
            shown["from scratch, labels and steps of fine-tuning"] = {"finetune": 100 * row["from_scratch"]}
    taus: dict[str, dict[str, Any]] = {}
    for what, pairs in found["agreement"].items():
        for pair in pairs:
            if pair["tau"] is not None:
                taus.setdefault(" and ".join(pair["figures"]), {})[f"{what} ({pair['runs']})"] = pair["tau"]
    parts = [table(shown, head="% right")]
    return "\n\n".join([*parts, table(taus, head="Kendall's tau of")] if taus else parts)


def _percent(figures: dict[str, float]) -> dict[str, float]:
    return {name: 100 * value for name, value in figures.items() if name not in ("linear_train", "linear_l2")}


def _line(row: dict) -> str:
    step, figures = list(row["checkpoints"].items())[-1]
    return f"step {step}: k-NN {100 * figures['knn']:.1f} %, linear {100 * figures['linear']:.1f} %"


STUDY = Study(rows, measure, markdown, _line, together)
