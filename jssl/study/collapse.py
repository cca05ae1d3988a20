"""``jssl study collapse``: what each breakage of a method does, and whether the diagnosis names it."""

import pathlib
from collections.abc import Sequence

from jssl.data import open_source
from jssl.evaluation import protocols
from jssl.report.diagnose import diagnose_run
from jssl.report.run import load_run
from jssl.study.breakages import registered
from jssl.study.collapse_rows import ROWS, Row
from jssl.study.frame import Study

__all__ = ["STUDY"]


def rows(data: str | None, full: bool) -> Sequence[Row]:
    """The rows; ValueError for other data or another size, of which no verdict is expected."""
    if data or full:
        raise ValueError(
            "study collapse expects its verdicts on its own data and at its own size; leave --data and --full out"
        )
    return ROWS


def measure(row: Row, folder: pathlib.Path) -> dict:
    """What is found of a run: ``linear`` and ``knn`` (accuracies on held-out examples), ``rankme`` and ``mean_cosine`` (of
    the encoder, with those of the projector or head, if there is one, as ``head_...``), ``untrained_knn``, ``verdict``,
    ``expected`` and ``evidence``."""
    report = diagnose_run(str(folder))
    default, *others = report["figures"]
    features = report["figures"][default]["trained"]
    return {
        "says": row.says,
        "linear": _linear(folder),
        "knn": report["run"]["knn"],
        "untrained_knn": report["untrained_run"]["knn"],
        **{key: features[key] for key in ("rankme", "mean_cosine")},
        **{
            f"head_{key}": report["figures"][name]["trained"][key]
            for name in others
            for key in ("rankme", "mean_cosine")
        },
        "verdict": report["verdict"],
        "expected": row.expected,
        "source": row.source,
        "evidence": report["evidence"],
    }


def _linear(folder: pathlib.Path) -> float:
    loaded = load_run(folder)
    sources = {split: open_source(loaded.run.config.data.source, split) for split in ("train", "test")}
    return protocols.evaluate({"encoder": loaded.encoder(sources)}, protocols=("linear",))["encoder"]["linear"]


def markdown(found: dict) -> str:
    """The table of what ``run_study`` returns."""
    heads = ("run", "linear %", "k-NN %", "untrained k-NN %", "RankMe", "mean cosine", "verdict", "expected")
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for row in found["rows"]:
        accuracies = [f"{100 * row[name]:.1f}" for name in ("linear", "knn", "untrained_knn")]
        cells = [row["says"], *accuracies, f"{row['rankme']:.1f}", f"{row['mean_cosine']:.3f}"]
        lines.append(f"| {' | '.join([*cells, row['verdict'], row['expected']])} |")
    return "\n".join(lines)


STUDY = Study(rows, measure, markdown, lambda row: row["verdict"], around=registered)
