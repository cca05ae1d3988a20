"""A trained encoder beside a random one and the raw input."""

import json
import pathlib
from collections.abc import Sequence

from jssl import processes
from jssl.data import open_source
from jssl.evaluation import Raw, Subject, baselines
from jssl.evaluation import protocols as suite
from jssl.report.run import load_run

SPLITS = ("train", "test")


def evaluate_run(
    workdir: str, *, protocols: str | Sequence[str], data: str | None = None, use_teacher: bool = False
) -> dict:
    """Writes ``evaluation.json``: each protocol for the trained encoder, the random one and the raw input; prints a table.

    Where several processes run it as one, each reads a part of the examples, and the first one writes.

    Raises:
      ValueError: unknown protocol, a source without a field that it needs, a method without teacher.
    """
    suite.check(protocols)  # before anything is loaded
    loaded = load_run(workdir)
    name = data or loaded.run.config.data.source
    sources = {split: open_source(name, split) for split in SPLITS}
    for source in sources.values():  # before minutes are spent on features
        protocols = suite.check(protocols, loaded.run.method, source.spec, data=name)
    subjects: dict[str, Subject] = {
        "encoder": loaded.encoder(sources, teacher=use_teacher),
        "random": loaded.encoder(sources, trained=False, teacher=use_teacher),
    }
    if any(field in sources["train"].spec for field in baselines.RAW):
        subjects["raw input"] = Raw(sources)
    results = suite.evaluate(subjects, protocols=protocols)
    report = {
        "workdir": str(workdir),
        "data": name,
        "step": int(loaded.state.step),
        "which": "teacher" if use_teacher else "student",
        **{f"num_{split}": len(source) for split, source in sources.items()},
        "results": results,
    }
    if processes.first():
        (pathlib.Path(workdir).expanduser() / "evaluation.json").write_text(json.dumps(report, indent=1))
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
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
