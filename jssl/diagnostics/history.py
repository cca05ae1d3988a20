"""What the log of a run says of its course: what was not finite, what was skipped, what jumped."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["History", "history"]

SIGMAS = 6.0
"""Deviations above the lines before it from which a line is a spike, if both its loss and its gradient norm are: what
``run.on_spike`` asks of a step."""
WINDOW = 20
"""Lines that a line is compared with; half as many must be there."""


class History(NamedTuple):
    """The course of a run.

    Attributes:
      evaluations: of the held-out examples, in order: ``step`` and figures, without their ``eval/``.
      highest_loss: of all lines, of the training and the held-out examples; None where there is none.
      nonfinite: steps of the lines, or the one that ended the run, whose loss or gradient norm was not finite.
      skipped: share of the updates that were skipped, of the latter half of the lines.
      spikes: steps of the lines whose loss and gradient norm jumped.
      gradients: of the lines, in order: ``step``, ``all`` and, by its name, the gradient norm of each network.
    """

    evaluations: tuple[dict[str, Any], ...] = ()
    highest_loss: float | None = None
    nonfinite: tuple[int, ...] = ()
    skipped: float = 0.0
    spikes: tuple[int, ...] = ()
    gradients: tuple[dict[str, Any], ...] = ()


def history(lines: Sequence[dict], *, stopped: int | None = None) -> History:
    """Reads the lines of ``metrics.jsonl``.

    Args:
      lines: dicts with ``step``; "loss", "grad_norm" and perhaps "grad_norm/<network>" and "skipped" of the training,
        "eval/..." of the held-out examples, "nonfinite" the names of those that JSON cannot hold.
      stopped: the step whose loss or gradient norm ended the run; one that the run has passed since does not count.

    >>> lines = [{"step": n, "loss": 1.0 + 0.01 * (n % 3), "grad_norm": 1.0 + 0.01 * (n % 2)} for n in range(20)]
    >>> found = history([*lines, {"step": 20, "loss": 9.0, "grad_norm": 7.0}, {"step": 20, "eval/loss": 1.5}])
    >>> found.spikes, found.evaluations, found.highest_loss
    ((20,), ({'step': 20, 'loss': 1.5},), 9.0)
    """
    training = [line for line in lines if "loss" in line]
    evaluations = tuple(
        {"step": line["step"], **{name.removeprefix("eval/"): line[name] for name in line if name.startswith("eval/")}}
        for line in lines
        if any(name.startswith("eval/") for name in line)
    )
    losses = [line["loss"] for line in training] + [line.get("loss") for line in evaluations]
    finite = [loss for loss in losses if isinstance(loss, int | float) and math.isfinite(loss)]
    nonfinite = [line["step"] for line in training if {"loss", "grad_norm"} & set(line.get("nonfinite", ()))]
    if stopped is not None and all(line["step"] <= stopped for line in lines):
        nonfinite.append(stopped)
    latter = [line.get("skipped") or 0.0 for line in training[len(training) // 2 :]]
    return History(
        evaluations,
        max(finite, default=None),
        tuple(nonfinite),
        float(np.mean(latter)) if latter else 0.0,
        _spikes(training),
        tuple(_gradients(line) for line in training if "grad_norm" in line),
    )


def _gradients(line: dict) -> dict[str, Any]:
    parts = {name.removeprefix("grad_norm/"): line[name] for name in line if name.startswith("grad_norm/")}
    return {"step": line["step"], "all": line["grad_norm"], **parts}


def _spikes(training: Sequence[dict]) -> tuple[int, ...]:
    rows = [line for line in training if line["loss"] is not None and line.get("grad_norm") is not None]
    values = np.array([[line["loss"], line["grad_norm"]] for line in rows], np.float64).reshape(-1, 2)
    found = []
    for at in range(WINDOW // 2, len(values)):
        window = values[max(0, at - WINDOW) : at]
        if np.all(values[at] > window.mean(0) + SIGMAS * window.std(0)):
            found.append(rows[at]["step"])
    return tuple(found)
