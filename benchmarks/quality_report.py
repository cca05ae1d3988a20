"""The table of benchmarks/quality.py: one row per method over its seeds, beside the raw input."""

import statistics

from jssl.evaluation.intervals import SUFFIX, half_width

ACCURACIES = {
    "knn": "k-NN %",
    "linear": "linear %",
    "few_labels_10": "10 a class %",
    "linear[target=speaker]": "speaker %",
}
# figure -> (column, factor, decimals); one that no run has is left out
COLUMNS = {
    **{name: (title, 100, 1) for name, title in ACCURACIES.items()},
    **{f"random_{name}": (f"random {title}", 100, 1) for name, title in ACCURACIES.items()},
    "margin": ("margin", 100, 1),
    "rankme": ("RankMe", 1, 1),
    "steps": ("steps", 1, 0),
    "examples_per_second": ("examples/s", 1, 0),
    "peak_memory_mib": ("peak MiB", 1, 0),
    "minutes": ("minutes", 1, 1),
}
TOLD = {
    "few_labels_10": "- 10 a class: a linear probe on ten labelled examples of each class, mean ± half width of the 95 % "
    "t-interval of five draws.",
    "linear[target=speaker]": "- Speaker: who speaks, by a linear probe on all training examples.",
}
EVALUATED = (*ACCURACIES, "rankme")


def figures(run: dict) -> dict[str, float]:
    """The columns of one run, and behind them the half widths that its own draws of labels give."""
    encoder, random = run["encoder"], run["random"]
    found = dict(encoder)
    found |= {f"random_{name}": value for name, value in random.items() if name.removesuffix(SUFFIX) in ACCURACIES}
    if "knn" in encoder:
        found["margin"] = encoder["knn"] - random["knn"]
    return found | {name: run[name] for name in COLUMNS if name in run}


def interval(values: list[float], own: float | None = None) -> dict:
    """Mean and half width of its 95 % t-interval; a single value has its ``own``, or None.

    >>> interval([1.0, 2.0, 3.0])["mean"], round(interval([1.0, 2.0, 3.0])["half"], 3)  # 4.303 / sqrt(3)
    (2.0, 2.484)
    """
    return {"mean": statistics.fmean(values), "half": own if len(values) == 1 else half_width(values)}


def rows(runs: list[dict]) -> list[dict]:
    """One per method: every figure over the seeds that finished. Best k-NN first."""
    finished: dict[str, list[dict]] = {}
    for run in runs:
        if "error" not in run:
            finished.setdefault(run["method"], []).append(run)
    table = []
    for method, own in finished.items():
        columns = [figures(run) for run in own]
        row = {
            name: interval([column[name] for column in columns], columns[0].get(name + SUFFIX))
            for name in COLUMNS
            if name in columns[0]
        }
        about = {"method": method, "labels": own[0]["labels"], "dimension": own[0]["encoder"]["dimension"]}
        if verdicts := sorted({run["verdict"] for run in own if "verdict" in run}):  # older runs have none
            about["verdict"] = ", ".join(verdicts)
        table.append({**about, "seeds": [run["seed"] for run in own], **row})
    return sorted(table, key=best)


def best(row: dict) -> float:
    """Sorts rows, the best k-NN first."""
    return -row["knn"]["mean"]


def raw(runs: list[dict]) -> dict | None:
    """The row of the raw input; None while nothing has finished."""
    found = next((run["raw"] for run in runs if "raw" in run), None)
    return found and {"method": "raw input", "labels": False, "dimension": found["dimension"]} | {
        name: interval([found[name]], found.get(name + SUFFIX)) for name in EVALUATED if name in found
    }


def markdown(result: dict) -> str:
    """The page: how it was made, then the table; a failed run has a row of its own."""
    runs = result["runs"]
    finished = [run for run in runs if "error" not in run]
    judged = any("verdict" in row for row in result["rows"])
    columns = [name for name in COLUMNS if any(name in row for row in result["rows"]) or not result["rows"]]
    names = ["method", *(COLUMNS[name][0] for name in columns), *["verdict"] * judged]
    table = [names, ["---"] * len(names)]
    encoders = result["rows"] + ([result["raw"]] if result["raw"] else [])
    for row in sorted(encoders, key=best):
        table.append([*line(row, columns), *[row.get("verdict", "-")] * judged])
    for run in runs:
        if "error" in run:
            error = f"failed: {run['error']}".replace("|", "\\|")
            table.append([f"{run['method']}, seed {run['seed']}", error, *[""] * (len(names) - 2)])
    text = ["# Every method at equal training time", "", f"`{result['command']}`", "", *about(runs, finished), ""]
    text += ["| " + " | ".join(cells) + " |" for cells in table]
    if result["without_recipe"]:
        text += ["", f"No recipe, not run: {', '.join(result['without_recipe'])}."]
    return "\n".join(text) + "\n"


def about(runs: list[dict], finished: list[dict]) -> list[str]:
    """What the reader must know to believe the table."""

    def every(key, runs):
        return "; ".join(sorted({str(run[key]) for run in runs}))

    examples = "".join(f", {run['num_train']} training and {run['num_test']} test examples" for run in finished[:1])
    device = f", {every('device', finished)}" if finished else ""
    seeds = len({run["seed"] for run in runs})
    steps = "the steps are what a measured step lets it hold"
    if steps_of := runs[0].get("steps_of"):
        steps = f"the steps are those of {steps_of}, so examples/s and minutes are of a machine that may be busier"
    if cpu := runs[0].get("cpu_budget_seconds"):
        budget = (
            f"{cpu:g} s of training each, of processor time, summed over cores; {steps}. Waiting for other programs "
        )
        budget += "is not counted, sharing cores and caches with them is. Compilation and evaluation are not in it."
    else:
        budget = f"{runs[0]['budget_seconds']:g} s of training each; {steps}. Minutes is what training then took. "
        budget += "Compilation and evaluation are in neither."
    lines = [
        f"- Data: {runs[0]['data']}{examples}.",
        f"- Budget: {budget}",
        "- Frozen features of the student: weighted k-NN with k = 20, linear probe by L-BFGS, on all training examples; "
        "RankMe on test examples, of the number of features. Random: the same encoder untrained; margin: k-NN minus its.",
        f"- Machine: {every('machine', runs)}{device}; jax {every('jax', runs)}; {every('date', runs)}. "
        "Peak memory is the training process's, data set included.",
    ]
    lines += [told for name, told in TOLD.items() if any(name in run["encoder"] for run in finished)]
    if any("verdict" in run for run in finished):
        lines.append("- Verdict: of `jssl diagnose`, on the held-out examples that a run evaluates itself on.")
    if seeds > 1:
        lines.append(f"- {seeds} seeds: mean ± half width of the 95 % t-interval.")
    return lines


def line(row: dict, columns: list[str]) -> list[str]:
    """The cells of one row."""
    cells = [row["method"] + (" (labels)" if row["labels"] else "")]
    for name in columns:
        _, factor, decimals = COLUMNS[name]
        cell = number(row[name], factor, decimals) if name in row else "-"
        cells.append(f"{cell} of {row['dimension']}" if name == "rankme" else cell)
    return cells


def number(figure: dict, factor: float, decimals: int) -> str:
    """A mean with its interval.

    >>> number({"mean": 0.5, "half": 0.0123}, 100, 1), number({"mean": 12.0, "half": None}, 1, 0)
    ('50.0 ± 1.2', '12')
    """
    text = f"{factor * figure['mean']:.{decimals}f}"
    return text if figure["half"] is None else f"{text} ± {factor * figure['half']:.{decimals}f}"
