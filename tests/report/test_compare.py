"""Runs side by side: what was found, whether protocols agree, and what sets the runs apart."""

import json

import pytest

from jssl.cli import main
from jssl.report.compare import rank_agreement


def write_run(folder, figures, *, evaluated=True, **config):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"seed": 0, "optimizer": {"learning_rate": 0.1}} | config))
    if evaluated:
        found = {"data": "synthetic", "step": 10, "which": "student", "results": {"encoder": figures, "random": {}}}
        (folder / "evaluation.json").write_text(json.dumps(found))
    return str(folder)


@pytest.fixture
def runs(tmp_path):
    """k-NN and linear rank three runs alike, fine-tuning the other way round."""
    rows = [(0.1, 0.2, 0.9), (0.3, 0.4, 0.8), (0.5, 0.9, 0.7)]
    return [
        write_run(
            tmp_path / f"r{i}",
            {"knn": knn, "linear": linear, "linear_ci95": 0.01, "linear_l2": 1.0, "finetune": tuned},
            method={"name": "dino" if i else "mae"},
        )
        for i, (knn, linear, tuned) in enumerate(rows)
    ]


def test_the_table_the_agreement_and_what_differs(runs, capsys):
    assert main(["compare", *runs]) == 0
    told = capsys.readouterr().out
    assert "| run | knn | linear | linear_l2 | finetune |" in told and "| r1 | 0.3 | 0.4 ± 0.01 | 1 | 0.8 |" in told
    assert "| knn and linear | 1 |" in told and "| knn and finetune | -1 |" in told and "l2 and" not in told
    assert "| method.name | mae | dino | dino |" in told and "seed" not in told


def test_json_holds_the_same(runs, capsys):
    assert main(["compare", "--json", *runs]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report["runs"]) == ["r0", "r1", "r2"] and report["runs"]["r2"]["linear"] == 0.9
    assert [(row["figures"], row["tau"], row["runs"]) for row in report["agreement"]] == [
        (["knn", "linear"], 1.0, 3),
        (["knn", "finetune"], -1.0, 3),
        (["linear", "finetune"], -1.0, 3),
    ]
    assert report["differs"] == {"method.name": {"r0": "mae", "r1": "dino", "r2": "dino"}}


def test_what_was_evaluated_counts_as_a_difference(runs, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    found = json.loads((tmp_path / "r1" / "evaluation.json").read_text()) | {"step": 20}
    (tmp_path / "r1" / "evaluation.json").write_text(json.dumps(found))
    assert main(["compare", *runs[1:]]) == 0
    told = capsys.readouterr().out
    assert "| evaluated.step | 20 | 10 |" in told and "Rank agreement of protocols takes 3 runs." in told


def test_runs_of_one_name_are_told_by_their_paths(tmp_path, capsys):
    for parent in ("a", "b"):
        (tmp_path / parent).mkdir()
    paths = [write_run(tmp_path / parent / "r", {"knn": 0.5}) for parent in ("a", "b")]
    assert main(["compare", "--json", *paths]) == 0
    assert list(json.loads(capsys.readouterr().out)["runs"]) == paths


def test_figures_without_order_have_no_tau():
    runs = {"a": {"x": 1.0, "y": 1.0}, "b": {"x": 1.0, "y": 2.0}, "c": {"x": 1.0, "y": 3.0}, "d": {"y": 4.0}}
    assert rank_agreement(runs) == [{"figures": ["x", "y"], "tau": None, "p": None, "runs": 3}]


def test_a_run_that_cannot_be_compared_is_named(runs, tmp_path, capsys):
    bare = write_run(tmp_path / "bare", {}, evaluated=False)
    for arguments, message in (
        ([runs[0]], "compare takes two runs or more"),
        ([runs[0], bare], f"{bare} has not been evaluated; run jssl evaluate --workdir {bare}"),
        ([runs[0], str(tmp_path)], f"no run in {tmp_path}: config.json is missing"),
    ):
        assert main(["compare", *arguments]) == 2
        assert message in capsys.readouterr().err
    (tmp_path / "bare" / "evaluation.json").write_text("[]")
    assert main(["compare", runs[0], bare]) == 2
