"""A trained encoder beside a random one, the raw input and, where it is trained on labels, a supervised one."""

import json
import pathlib
from collections.abc import Sequence

from jssl import processes
from jssl.data import open_source
from jssl.evaluation import Raw, Subject, baselines
from jssl.evaluation import protocols as suite
from jssl.evaluation.intervals import SUFFIX
from jssl.evaluation.words import parse, values
from jssl.report.finetune import FineTuning
from jssl.report.run import load_run

SPLITS = ("train", "test")
FILE = "evaluation.json"


def evaluate_run(
    workdir: str, *, protocols: str | Sequence[str], data: str | None = None, use_teacher: bool | None = None
) -> dict:
    """Writes ``evaluation.json``: each protocol for the random encoder, the raw input, a network trained on labels from scratch
    where ``finetune`` is asked for, and the trained encoder; prints a table.

    What the file holds of the same step, weights and data from before stays. Where several processes run it as one, each reads
    a part of the examples, and the first one writes.

    Args:
      workdir: of a run.
      protocols: see ``jssl.evaluation.check``.
      data: another source than the run's own.
      use_teacher: read the EMA teacher, or the student; None takes what the paper of the method evaluates.

    Raises:
      ValueError: unknown protocol, a source without a field that it needs, a method without teacher.
    """
    suite.check(protocols)  # before anything is loaded
    loaded = load_run(workdir)
    method, name = loaded.run.method, data or loaded.run.config.data.source
    teacher = method.reads_teacher if use_teacher is None else use_teacher
    sources = {split: open_source(name, split) for split in SPLITS}
    for source in sources.values():  # before minutes are spent on features
        protocols = suite.check(protocols, method, source.spec, data=name)
    tuned = [asked for asked in parse(protocols) if asked.name == "finetune"]
    finetune = FineTuning(loaded, sources, teacher=teacher) if tuned else None
    subjects: dict[str, Subject] = {"random": loaded.encoder(sources, trained=False, teacher=teacher)}
    if any(field in sources["train"].spec for field in baselines.RAW):
        subjects["raw input"] = Raw(sources)
    if finetune is not None:
        options = suite.PROTOCOLS["finetune"].options | values(tuned[0], suite.PROTOCOLS["finetune"].options)
        del options["seeds"]
        subjects["supervised"] = finetune.supervised({**options, "seed": 0})
    subjects["encoder"] = loaded.encoder(sources, teacher=teacher, finetune=finetune)
    results = suite.evaluate(subjects, protocols=protocols)
    report = {
        "workdir": str(workdir),
        "data": name,
        "step": int(loaded.state.step),
        "which": "teacher" if teacher else "student",
        **{f"num_{split}": len(source) for split, source in sources.items()},
        "results": results,
    }
    if processes.first():
        file = pathlib.Path(workdir).expanduser() / FILE
        file.write_text(json.dumps(_with_known(file, report), indent=1))
        print(f"{report['which']} at step {report['step']}")
        print(table(results))
    return report


def _with_known(file: pathlib.Path, report: dict) -> dict:
    """The report with what its file says of the same weights and data already."""
    try:
        known = json.loads(file.read_text())
        same = all(known[key] == report[key] for key in report if key not in ("workdir", "results"))
        rows = known["results"] if same else {}
        return report | {"results": {name: rows.get(name, {}) | row for name, row in report["results"].items()}}
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ):  # there is none, or it is no report: it is replaced
        return report


def table(results: dict, *, head: str = "features") -> str:
    """Markdown: one row per kind of features, one column per figure, with its 95 % interval where there is one."""
    figures = dict.fromkeys(key for row in results.values() for key in row)
    columns = [name for name in figures if not name.endswith(SUFFIX)]
    lines = [f"| {head} | " + " | ".join(columns) + " |", "| --- |" + " --- |" * len(columns)]
    for name, row in results.items():
        cells = (
            cell(row.get(key)) + (f" ± {cell(row[key + SUFFIX])}" if key + SUFFIX in row else "") for key in columns
        )
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(value) -> str:
    """A value in a table; a dash for none."""
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
