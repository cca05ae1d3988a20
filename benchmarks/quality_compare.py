"""Two tables of benchmarks/quality.py side by side: has a method become worse?"""

import json
import pathlib
from collections.abc import Iterable

ALLOWED = 2.0
"""Points that a method may lose: what one seed differs from the next by, and more."""
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
    lines, worse = [titles, ["---"] * len(titles)], []
    for method in methods:
        pair = before.get(method), now.get(method)
        if pair == (None, None):
            continue
        cells, lost = [method], pair[1] is None
        for name in FIGURES:
            values = [100 * row[name]["mean"] if row else None for row in pair]
            difference = None if None in values else round(values[1] - values[0], 2)
            # Not "<": a figure that is no number is no success.
            lost |= difference is not None and not difference >= -ALLOWED
            cells += [_cell(values[0]), _cell(values[1]), _cell(difference, "+")]
        if lost:
            worse.append(method)
        lines.append([*cells, "no figure any more" if pair[1] is None else "worse" if lost else ""])
    return ["| " + " | ".join(cells) + " |" for cells in lines], worse


def _cell(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.2f}"
