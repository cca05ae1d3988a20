"""The table of benchmarks/quality.py: one row per method over its seeds, beside raw pixels."""

import statistics

from scipy import special

# figure -> (column, factor, decimals)
COLUMNS = {
    "knn": ("k-NN %", 100, 1),
    "linear": ("linear %", 100, 1),
    "random_knn": ("random k-NN %", 100, 1),
    "random_linear": ("random linear %", 100, 1),
    "margin": ("margin", 100, 1),
    "rankme": ("RankMe", 1, 1),
    "steps": ("steps", 1, 0),
    "images_per_second": ("images/s", 1, 0),
    "peak_memory_mib": ("peak MiB", 1, 0),
    "minutes": ("minutes", 1, 1),
}
EVALUATED = ("knn", "linear", "rankme")


def figures(run: dict) -> dict[str, float]:
    """The columns of one run."""
    encoder, random = run["encoder"], run["random"]
    accuracy = {
        "random_knn": random["knn"],
        "random_linear": random["linear"],
        "margin": encoder["knn"] - random["knn"],
    }
    training = {name: run[name] for name in ("steps", "images_per_second", "peak_memory_mib", "minutes")}
    return {name: encoder[name] for name in EVALUATED} | accuracy | training


def interval(values: list[float]) -> dict:
    """Mean and half width of its 95 % t-interval; None for a single value.

    >>> interval([1.0, 2.0, 3.0])["mean"], round(interval([1.0, 2.0, 3.0])["half"], 3)  # 4.303 / sqrt(3)
    (2.0, 2.484)
    """
    count = len(values)
    if count == 1:
        return {"mean": values[0], "half": None}
    half = special.stdtrit(count - 1, 0.975) * statistics.stdev(values) / count**0.5
    return {"mean": statistics.fmean(values), "half": float(half)}


def rows(runs: list[dict]) -> list[dict]:
    """One per method: every figure over the seeds that finished. Best k-NN first."""
    finished: dict[str, list[dict]] = {}
    for run in runs:
        if "error" not in run:
            finished.setdefault(run["method"], []).append(run)
    table = []
    for method, own in finished.items():
        columns = [figures(run) for run in own]
        row = {name: interval([column[name] for column in columns]) for name in COLUMNS}
        about = {"method": method, "labels": own[0]["labels"], "dimension": own[0]["encoder"]["dimension"]}
        if verdicts := sorted({run["verdict"] for run in own if "verdict" in run}):  # older runs have none
            about["verdict"] = ", ".join(verdicts)
        table.append({**about, "seeds": [run["seed"] for run in own], **row})
    return sorted(table, key=lambda row: -row["knn"]["mean"])


def pixels(runs: list[dict]) -> dict | None:
    """The row of raw pixels; None while nothing has finished."""
    found = next((run["pixels"] for run in runs if "pixels" in run), None)
    return found and {"method": "raw pixels", "labels": False, "dimension": found["dimension"]} | {
        name: {"mean": found[name], "half": None} for name in EVALUATED
    }


def markdown(result: dict) -> str:
    """The page: how it was made, then the table; a failed run has a row of its own."""
    runs = result["runs"]
    finished = [run for run in runs if "error" not in run]
    judged = any("verdict" in row for row in result["rows"])
    names = ["method", *(title for title, _, _ in COLUMNS.values()), *["verdict"] * judged]
    table = [names, ["---"] * len(names)]
    encoders = result["rows"] + ([result["pixels"]] if result["pixels"] else [])
    for row in sorted(encoders, key=lambda row: -row["knn"]["mean"]):
        table.append([*line(row), *[row.get("verdict", "-")] * judged])
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

    images = "".join(f", {run['num_train']} training and {run['num_test']} test images" for run in finished[:1])
    device = f", {every('device', finished)}" if finished else ""
    seeds = len({run["seed"] for run in runs})
    steps = "the steps are what a measured step lets it hold"
    if steps_of := runs[0].get("steps_of"):
        steps = f"the steps are those of {steps_of}, so images/s and minutes are of a machine that may be busier"
    lines = [
        f"- Data: {runs[0]['data']}{images}.",
        f"- Budget: {runs[0]['budget_seconds']:g} s of training each; {steps}. Minutes is what "
        "training then took. Compilation and evaluation are in neither.",
        "- Frozen features of the student: weighted k-NN with k = 20, linear probe by L-BFGS, on all training images; "
        "RankMe on test images, of the number of features. Random: the same encoder untrained; margin: k-NN minus its.",
        f"- Machine: {every('machine', runs)}{device}; jax {every('jax', runs)}; {every('date', runs)}. "
        "Peak memory is the training process's, data set included.",
    ]
    if any("verdict" in run for run in finished):
        lines.append("- Verdict: of `jssl diagnose`, on the held-out images that a run evaluates itself on.")
    if seeds > 1:
        lines.append(f"- {seeds} seeds: mean ± half width of the 95 % t-interval.")
    return lines


def line(row: dict) -> list[str]:
    """The cells of one row."""
    cells = [row["method"] + (" (labels)" if row["labels"] else "")]
    for name, (_, factor, decimals) in COLUMNS.items():
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
