"""Several evaluated runs side by side: figures, whether protocols rank the runs alike, and what sets their configs apart."""

import itertools
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from scipy import stats

from jssl.config import read_object
from jssl.differences import differing_fields
from jssl.evaluation.intervals import SUFFIX
from jssl.report.evaluate import FILE, cell, table

__all__ = ["by_name", "compare_runs", "rank_agreement"]

FEWEST = 3
"""Runs of which a rank correlation is told: of two it is 1 or -1, whatever the protocols."""

ASIDE = ("linear_train", "linear_l2", "linear_rate", "attentive_train")
"""Figures that rank no run."""


def compare_runs(workdirs: Sequence[str], *, as_json: bool = False) -> dict:
    """Prints what ``jssl evaluate`` found of several runs: runs x figures, Kendall's tau between figures, and what differs.

    Args:
      workdirs: of runs.
      as_json: print JSON instead of tables.

    Returns:
      ``runs``: run -> figure -> float; ``agreement``: one record for each pair of figures, see ``rank_agreement``; ``differs``:
      field -> run -> value, of the configs and of what was evaluated (``evaluated.data`` and so on).

    Raises:
      ValueError: a single run, or one that has no config or has not been evaluated.
    """
    if len(workdirs) < 2:
        raise ValueError("compare takes two runs or more: jssl compare runs/a runs/b")
    runs, configs = {}, {}
    for name, workdir in by_name(workdirs).items():
        folder = pathlib.Path(workdir).expanduser()
        if not (folder / "config.json").is_file():
            raise ValueError(f"no run in {workdir}: config.json is missing; give workdirs of jssl pretrain")
        if not (folder / FILE).is_file():
            raise ValueError(f"{workdir} has not been evaluated; run jssl evaluate --workdir {workdir}")
        found = read_object(folder / FILE)
        if not isinstance(found.get("results"), dict) or "encoder" not in found["results"]:
            raise ValueError(f"{folder / FILE} holds no results; run jssl evaluate --workdir {workdir}")
        runs[name] = found["results"]["encoder"]
        told = {key: value for key, value in found.items() if key not in ("results", "workdir")}
        configs[name] = read_object(folder / "config.json") | {"evaluated": told}
    report = {"runs": runs, "agreement": rank_agreement(runs), "differs": differing_fields(configs)}
    print(json.dumps(report, indent=1) if as_json else _text(report))
    return report


def rank_agreement(runs: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """Whether two figures rank runs alike, for every pair of figures.

    Args:
      runs: run -> figure -> float.

    Returns:
      dicts of ``figures`` (two names), ``runs`` (how many have both) and, of three or more with some difference, ``tau``,
      Kendall's tau-b in [-1, 1], and ``p``, the chance of one so far from 0 if ranks were independent; else these are None.

    >>> runs = {"a": {"knn": 0.1, "linear": 0.2}, "b": {"knn": 0.2, "linear": 0.3}, "c": {"knn": 0.3, "linear": 0.4}}
    >>> found = rank_agreement(runs)[0]
    >>> found["figures"], round(found["tau"], 6), found["runs"]
    (['knn', 'linear'], 1.0, 3)
    """
    every = dict.fromkeys(name for row in runs.values() for name in row)
    names = [name for name in every if not name.endswith(SUFFIX) and name.partition("[")[0] not in ASIDE]
    found = []
    for first, second in itertools.combinations(names, 2):
        pairs = [(row[first], row[second]) for row in runs.values() if first in row and second in row]
        columns = list(zip(*pairs))
        told = len(pairs) >= FEWEST and all(len(set(column)) > 1 for column in columns)
        tau, p = map(float, stats.kendalltau(*columns)) if told else (None, None)
        found.append({"figures": [first, second], "tau": tau, "p": p, "runs": len(pairs)})
    return found


def by_name(workdirs: Sequence[str]) -> dict[str, str]:
    """Each run by the last part of its path, or by all of it where two share that."""
    paths = list(dict.fromkeys(str(pathlib.Path(workdir)) for workdir in workdirs))
    last = [pathlib.Path(path).name for path in paths]
    return {(name if last.count(name) == 1 else path): path for name, path in zip(last, paths)}


def _text(report: dict) -> str:
    parts = [table(report["runs"], head="run")]
    pairs = {" and ".join(row["figures"]): row for row in report["agreement"] if row["tau"] is not None}
    if pairs:
        rows = {name: {key: row[key] for key in ("tau", "p", "runs")} for name, row in pairs.items()}
        parts.append("Do they rank the runs alike? Kendall's tau: 1 the same order, 0 none, -1 the reverse.\n")
        parts.append(table(rows, head="figures"))
    elif len(report["runs"]) < FEWEST:
        parts.append(f"Rank agreement of protocols takes {FEWEST} runs.")
    names = list(report["runs"])
    lines = ["| differs | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
    for field, values in report["differs"].items():
        lines.append(f"| {field} | " + " | ".join(cell(values.get(name)) for name in names) + " |")
    parts.append("\n".join(lines) if report["differs"] else "The configs are the same.")
    return "\n\n".join(part.rstrip("\n") for part in parts)
