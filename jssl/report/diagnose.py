"""What is wrong with a run, if anything: figures of its features beside the untrained encoder's, and a verdict in words."""

import json
import math
import pathlib
from typing import Any

import jax
import numpy as np

from jssl import sharding
from jssl.config import read_object
from jssl.data import NoSplit, Source, open_source
from jssl.diagnostics import agreement
from jssl.diagnostics.directions import spectrum
from jssl.diagnostics.figures import measures
from jssl.diagnostics.history import History, history
from jssl.diagnostics.verdict import judge
from jssl.evaluation import Encoder, Raw, baselines, protocols, retrieval
from jssl.evaluation.parts import Crops, Part
from jssl.evaluation.remembered import remembered
from jssl.methods import weights
from jssl.report.run import Loaded, load_run
from jssl.train.metrics import read_metrics
from jssl.train.online import OnlineEvaluation, subset

__all__ = ["diagnose_run"]

CROPPED, CROPS = 250, 4
"""Pictures, and crops of each, that LiDAR, alignment and mutual information are of. LiDAR grows with both: compare equal ones."""
BATCH = 256
"""Examples at a time, when features are read."""


def diagnose_run(workdir: str, *, data: str | None = None) -> dict:
    """Writes ``diagnosis.json``: figures of the newest checkpoint on held-out examples, and the verdict. A run may be under way.

    Args:
      workdir: of ``jssl pretrain``.
      data: another source than the one pretrained on.

    Returns:
      What ``diagnosis.json`` holds: ``verdict``, ``evidence``, ``cautions``, ``figures`` (readout -> "trained" and
      "untrained" -> measure), ``run`` and ``untrained_run`` (figures of the method), ``over_time``, ``spectrum`` (readout ->
      variances), ``gradients`` (over time), ``left_out`` (what does not apply, and why). What is not finite is None.

    Raises:
      ValueError: no run, or no whole checkpoint of one that did not stop at a loss that is not finite.
      OSError: ``diagnosis.json`` cannot be written.
    """
    folder = pathlib.Path(workdir).expanduser()
    course = _course(folder)
    try:
        loaded = load_run(workdir)
    except ValueError:
        if not course.nonfinite:
            raise
        report = _without_checkpoint(course)  # it diverged before there was one
    else:
        report = _diagnose(loaded, course, data or loaded.run.config.data.source)
    report = _as_json({"workdir": str(workdir), **report})
    (folder / "diagnosis.json").write_text(json.dumps(report, indent=1))
    return report


def _course(folder: pathlib.Path) -> History:
    stopped = folder / "nonfinite.json"
    try:
        return history(read_metrics(folder), stopped=read_object(stopped)["step"] if stopped.exists() else None)
    except FileNotFoundError:
        return History()


def _without_checkpoint(course: History) -> dict:
    told = f"loss or gradient norm was not finite at step {course.nonfinite[0]}, before the first checkpoint"
    nothing: dict = {"figures": {}, "run": {}, "untrained_run": {}, "spectrum": {}, "left_out": []}
    return {
        "step": None,
        "verdict": "instability",
        "evidence": [told],
        "cautions": [],
        **nothing,
        "over_time": list(course.evaluations),
        "gradients": list(course.gradients),
    }


def _diagnose(loaded: Loaded, course: History, name: str) -> dict:
    run = loaded.run
    left_out: list[str] = []
    train = open_source(name, "train")
    try:
        held_out = open_source(name, "test")
    except NoSplit:
        held_out = train
        left_out.append("held-out examples: there are none; the figures are of examples that it trained on")
    options = run.config.run
    bank = Part(train, subset(len(train), options.online_bank))
    queries = Part(held_out, subset(len(held_out), options.online_queries))
    online = OnlineEvaluation(run, train, held_out)  # whose rows are the same ones
    crops = _cropped(loaded, queries, left_out)

    def read(trained: bool) -> dict[str, float]:
        """Figure -> value; those of a readout are named "readout/figure"."""
        state = loaded.state if trained else loaded.initial
        found = {name.removeprefix("eval/"): value for name, value in online(state).items()}
        features = _features(loaded, state, queries, crops)
        if trained:
            spectra.update({name: spectrum(rows).tolist() for name, (rows, _) in features.items() if _finite(rows)})
        for name, pair in features.items():
            found |= {f"{name}/{key}": value for key, value in measures(*pair).items()}
        found |= _between_readouts(features)
        return found

    spectra: dict[str, list[float]] = {}
    now = read(trained=True)
    key = loaded.encoder({"train": bank, "test": queries}, trained=False).key
    key = key and [*key, "diagnosis", run.config.data.batch_size]
    before = remembered(key, lambda: read(trained=False)) if key else read(trained=False)
    raw_knn = _raw_knn(bank, queries) if "knn" in now else None
    if "knn" not in now:
        left_out.append("k-NN, and the raw input: the data have no labels")

    figures = {
        name: {"trained": _of(now, name), "untrained": _of(before, name)}
        for name in (*run.method.readouts, *map("-".join, retrieval.NEEDS))
        if _of(now, name)
    }
    default, *others = run.method.readouts
    heads = {
        name: (row["trained"], row["untrained"])
        for name, row in figures.items()
        if name in others and "rankme" in row["trained"]
    }
    of_run = {name: value for name, value in now.items() if "/" not in name}
    verdict = judge(
        of_run,
        {k: v for k, v in before.items() if "/" not in k},
        course,
        heads=heads,
        raw_knn=raw_knn,
        examples=len(queries),
        classes=train.about.num_classes,
    )
    if teacher := run.method.teacher:
        of_run["ema_distance"] = agreement.ema_distance(teacher(loaded.state.params), loaded.state.teacher)
    else:
        left_out.append("distance of student and teacher: the method has none")
    if "target_entropy" not in of_run:
        left_out.append("entropy of the targets, prototypes in use: the method has none")
    measured = set(figures[default]["trained"])
    step, steps = int(loaded.state.step), run.config.steps
    if step < steps:
        verdict = verdict._replace(cautions=(*verdict.cautions, f"{step} of its {steps} steps are done"))
    return {
        "data": name,
        "method": run.method.name,
        "step": step,
        "steps": steps,
        "verdict": verdict.name,
        "evidence": verdict.evidence,
        "cautions": verdict.cautions,
        "figures": figures,
        "run": {k: v for k, v in of_run.items() if k not in measured}
        | ({"raw_knn": raw_knn} if raw_knn is not None else {}),
        "untrained_run": {k: v for k, v in before.items() if "/" not in k and k not in measured},
        "over_time": list(course.evaluations),
        "gradients": list(course.gradients),
        "spectrum": spectra,
        "left_out": left_out,
    }


def _cropped(loaded: Loaded, queries: Source, left_out: list[str]) -> dict[str, tuple]:
    """Readout -> (readout of crops, source of them), for those that see a picture."""
    if "image" not in queries.spec:
        left_out.append("alignment, mutual information, LiDAR: the examples have no picture to take crops of")
        return {}
    source = Crops(Part(queries, range(min(CROPPED, len(queries)))), CROPS)
    readouts = loaded.run.method.readouts.items()
    return {name: (Crops.of(readout), source) for name, readout in readouts if _sees_image(readout, queries.spec)}


def _sees_image(readout, spec) -> bool:
    try:
        jax.eval_shape(readout.prepare, {name: field for name, field in spec.items() if name != "image"})
    except KeyError:
        return True
    return False


def _features(loaded: Loaded, state, queries: Source, crops: dict) -> dict[str, tuple]:
    """Readout -> ((N, D) features, (n, q, D) of crops or None)."""
    readouts, mesh = loaded.run.method.readouts, loaded.run.mesh
    of_crops = {f"{name} of crops": readout for name, (readout, _) in crops.items()}
    encoder = Encoder(
        {**readouts, **of_crops},
        weights(state),
        {"test": queries},
        batch_size=-(-BATCH // mesh.size) * mesh.size,
        sharding=sharding.batch_sharding(mesh),
    )
    found = {}
    for name in readouts:
        cropped = None
        if name in crops:
            cropped = encoder.encode(f"{name} of crops", crops[name][1])
            cropped = cropped.reshape(-1, CROPS, cropped.shape[-1])
        found[name] = encoder.features("test", name), cropped
    return found


def _between_readouts(features: dict[str, tuple]) -> dict[str, float]:
    """Of methods with two towers: what one tells of the other."""
    found: dict[str, float] = {}
    for names in retrieval.NEEDS:
        if {*names} <= features.keys():
            first, second = (features[name][0] for name in names)
            if first.shape == second.shape and _finite(first) and _finite(second):
                found |= {f"{'-'.join(names)}/{k}": value for k, value in agreement.between(first, second).items()}
    return found


def _raw_knn(bank: Source, queries: Source) -> float | None:
    if not any(field in bank.spec and field in queries.spec for field in baselines.RAW):
        return None
    raw = Raw({"train": bank, "test": queries})
    return protocols.evaluate({"raw": raw}, protocols=("knn",))["raw"]["knn"]


def _of(figures: dict[str, float], readout: str) -> dict[str, float]:
    prefix = f"{readout}/"
    return {name.removeprefix(prefix): value for name, value in figures.items() if name.startswith(prefix)}


def _finite(rows: np.ndarray) -> bool:
    return bool(np.all(np.isfinite(rows)))


def _as_json(value: Any) -> Any:
    """JSON has no NaN nor inf: these become null."""
    if isinstance(value, dict):
        return {name: _as_json(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
