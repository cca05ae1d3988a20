"""A diagnosis as a person reads it in a terminal."""

from collections.abc import Mapping, Sequence

__all__ = ["diagnosis_text"]

SHOWN = 8
"""Lines of the table over time, first and last among them."""
OVER_TIME = (
    "loss",
    "knn",
    "feature_std",
    "mean_cosine",
    "rankme",
    "target_entropy",
    "prototype_perplexity",
    "prototypes_used",
    "target_kl",
    "code_perplexity",
)


def diagnosis_text(report: Mapping) -> str:
    """The tables and the verdict of what ``diagnose_run`` returns, as Markdown."""
    parts = [_figures(report), _of_the_run(report), _over_time(report["over_time"]), _gradients(report["gradients"])]
    if report["left_out"]:
        parts.append("\n".join(["Does not apply:", *(f"- {line}" for line in report["left_out"])]))
    verdict = [f"Verdict: {report['verdict']}", *(f"- {line}" for line in report["evidence"])]
    verdict += [f"- but note: {line}" for line in report["cautions"]]
    return "\n\n".join([part for part in parts if part] + ["\n".join(verdict)])


def _figures(report: Mapping) -> str:
    kinds = [
        (name, which) for name, row in report["figures"].items() for which in ("trained", "untrained") if row[which]
    ]
    measures = dict.fromkeys(measure for name, which in kinds for measure in report["figures"][name][which])
    heads = [name if which == "trained" else f"{name}, untrained" for name, which in kinds]
    rows = [[measure, *(report["figures"][name][which].get(measure) for name, which in kinds)] for measure in measures]
    return _table(["features", *heads], rows)


def _of_the_run(report: Mapping) -> str:
    before = report["untrained_run"]
    return _table(
        ["run", "trained", "untrained"], [[name, now, before.get(name)] for name, now in report["run"].items()]
    )


def _over_time(rows: Sequence[Mapping]) -> str:
    rows = _some(rows)
    names = [name for name in OVER_TIME if any(name in row for row in rows)]
    return _table(["step", *names], [[row["step"], *(row.get(name) for name in names)] for row in rows])


def _gradients(rows: Sequence[Mapping]) -> str:
    rows = _some(rows)
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name != "step"]
    return _table(["gradient norm, step", *names], [[row["step"], *(row.get(name) for name in names)] for row in rows])


def _some(rows: Sequence[Mapping]) -> Sequence[Mapping]:
    if len(rows) <= SHOWN:
        return rows
    return [rows[round(place * (len(rows) - 1) / (SHOWN - 1))] for place in range(SHOWN)]


def _table(heads: Sequence[str], rows: Sequence[Sequence]) -> str:
    """Markdown whose columns line up; empty without rows."""
    if not rows:
        return ""
    cells = [list(heads), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in cells]
    return "\n".join([lines[0], "| " + " | ".join("-" * width for width in widths) + " |", *lines[1:]])


def _cell(value) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
