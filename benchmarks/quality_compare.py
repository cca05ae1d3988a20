"""Two tables of benchmarks/quality.py side by side: has a method become worse?"""

import json
import pathlib
from collections.abc import Iterable

ALLOWED = 2.0
"""Points by which a method may be below its old figure."""
FIGURES = {"knn": "k-NN %", "linear": "linear %"}


def read(file: str | pathlib.Path) -> dict:
    """The ``<out>.json`` of some runs.

    Raises:
      ValueError: the file is something else.
    """
    try:
        table = json.loads(pathlib.Path(file).read_text())
        {row["method"]: [row[name]["mean"] for name in FIGURES] for row in table["rows"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is no table of this benchmark; give the <out>.json of other runs") from error
    return table


def steps(table: dict, method: str, seed: int) -> int:
    """How many steps a run of a table took; of another seed where this one is not there.

    Raises:
      ValueError: there is no finished run of the method.
    """
    finished = {run["seed"]: run["steps"] for run in table["runs"] if run["method"] == method and "error" not in run}
    if not finished:
        raise ValueError(f"the table of --steps-of has no finished run of {method}")
    return finished.get(seed, finished[min(finished)])


def compare(old: dict, new: dict, methods: Iterable[str]) -> tuple[list[str], list[str]]:
    """Old and new figures of methods, as a table.

    Args:
      old: as ``read`` gives it.
      new: likewise.
      methods: those to compare; those in neither table are left out.

    Returns:
      The lines of the table; the methods that are worse, by more than ``ALLOWED`` points in k-NN or linear accuracy, or
      because they have no figure any more.
    """
    before, now = ({row["method"]: row for row in table["rows"]} for table in (old, new))
    titles = ["method", *(title for name in FIGURES.values() for title in (f"{name} old", "new", "difference")), ""]
    lines = [titles, ["---"] * len(titles)]
    worse: list[str] = []
    for method in methods:
        was, is_now = before.get(method), now.get(method)
        if not was and not is_now:
            continue
        cells, note = [method], "" if is_now else "no figure any more"
        for name in FIGURES:
            points = [100 * row[name]["mean"] if row else None for row in (was, is_now)]
            difference = round(100 * (is_now[name]["mean"] - was[name]["mean"]), 2) if was and is_now else None
            if difference is not None and not difference >= -ALLOWED:  # a figure that is no number is no success
                note = "worse"
            cells += [_cell(points[0]), _cell(points[1]), _cell(difference, "+")]
        if note:
            worse.append(method)
        lines.append([*cells, note])
    return ["| " + " | ".join(cells) + " |" for cells in lines], worse


def _cell(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.2f}"
