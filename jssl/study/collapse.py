"""``jssl study collapse``: what each breakage of a method does, and whether the diagnosis names it."""

import json
import pathlib
from collections.abc import Sequence

from jssl.data import open_source
from jssl.evaluation import protocols
from jssl.hints import nearest
from jssl.report.diagnose import diagnose_run
from jssl.report.run import load_run
from jssl.study.breakages import registered
from jssl.study.collapse_rows import ROWS, Row
from jssl.train.loop import pretrain
from jssl.train.workdir import write_json

__all__ = ["markdown", "study_collapse"]

FILE = "study.json"
"""In the folder of a row: what was found. A row that has it is not run again."""


def study_collapse(workdir: str, rows: Sequence[str] = (), *, tell=print) -> list[dict]:
    """Trains, evaluates and diagnoses rows that are not finished yet; the same call continues where it stopped.

    Args:
      workdir: has a folder, a workdir of ``jssl pretrain``, for each row.
      rows: names; all of ``ROWS`` if empty.
      tell: is given a line for each row that is finished.

    Returns:
      Per row ``name``, ``says``, ``linear`` and ``knn`` (accuracies on held-out examples), ``rankme`` and ``mean_cosine`` (of
      the encoder, with those of the projector or head, if there is one, as ``head_...``), ``untrained_knn``,
      ``verdict``, ``expected`` and ``evidence``.

    Raises:
      ValueError: no such row, or a folder with another run in it.
    """
    known = {row.name: row for row in ROWS}
    for name in rows:
        if name not in known:
            raise ValueError(f"the study has no row {name!r}{nearest(name, known)}")
    found = []
    for row in [known[name] for name in rows] or ROWS:
        found.append(_finished(row, pathlib.Path(workdir).expanduser() / row.name))
        tell(f"{row.name}: {found[-1]['verdict']}")
    return found


def _finished(row: Row, folder: pathlib.Path) -> dict:
    file = folder / FILE
    if file.exists():
        return json.loads(file.read_text())
    with registered():
        pretrain(row.config(), str(folder), progress=False)
        report = diagnose_run(str(folder))
        linear = _linear(folder)
    default, *others = report["figures"]
    features = report["figures"][default]["trained"]
    found = {
        "name": row.name,
        "says": row.says,
        "linear": linear,
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
    write_json(file, found)
    return found


def _linear(folder: pathlib.Path) -> float:
    loaded = load_run(folder)
    sources = {split: open_source(loaded.run.config.data.source, split) for split in ("train", "test")}
    return protocols.evaluate({"encoder": loaded.encoder(sources)}, protocols=("linear",))["encoder"]["linear"]


def markdown(rows: Sequence[dict]) -> str:
    """The table of what ``study_collapse`` returns."""
    heads = ("run", "linear %", "k-NN %", "untrained k-NN %", "RankMe", "mean cosine", "verdict", "expected")
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for row in rows:
        accuracies = [f"{100 * row[name]:.1f}" for name in ("linear", "knn", "untrained_knn")]
        cells = [row["says"], *accuracies, f"{row['rankme']:.1f}", f"{row['mean_cosine']:.3f}"]
        lines.append(f"| {' | '.join([*cells, row['verdict'], row['expected']])} |")
    return "\n".join(lines)
