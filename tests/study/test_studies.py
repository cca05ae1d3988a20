"""The studies' rows, tables and what they tell of several rows; and each study from its command to its table, on tiny runs."""

import json

import numpy as np
import pytest
from scipy import stats

from jssl.cli import main
from jssl.evaluation.texts import Texts
from jssl.study import clip, frame, language, mae_vs_ijepa, protocols


def columns(markdown: str, row: str) -> list[str]:
    """The cells of the line of a table that begins with ``row``."""
    (line,) = [line for line in markdown.splitlines() if line.startswith(f"| {row} |")]
    return [cell.strip() for cell in line.split("|")[2:-1]]


@pytest.mark.parametrize("name", ["language", "mae-vs-ijepa", "clip", "protocols"])
def test_full_rows_are_recipes_that_can_be_read(name):
    for row in frame.find(name).rows(None, True):
        base = frame.Run(row.name, row.says, row.recipe, row.changes)  # without what takes the data to be there
        assert base.config().run.hardware != "cpu:1", row


def test_other_data_are_those_of_every_row():
    for study in (language, clip):
        assert {row.config().data.source for row in study.rows("folder:elsewhere", False)} == {"folder:elsewhere"}


def test_ijepa_takes_the_computation_of_mae(monkeypatch):
    monkeypatch.setattr(mae_vs_ijepa, "work", lambda run: (100, 50) if run.recipe.startswith("mae") else (40, 7))
    mae, ijepa = mae_vs_ijepa.rows(None, False)
    assert ijepa.config().steps == 125 and mae.config().steps == mae_vs_ijepa.STEPS


def test_surest_failures_come_first():
    source = Texts(np.zeros((4, 3), np.int32))
    source.about = type(source.about)(class_names=("ring", "star"), tokenizer="bytes", vocabulary=259)
    cosines = np.array([[0.9, 0.1], [0.5, 0.4], [0.8, 0.1], [0.2, 0.3]])
    found = clip.failures(source, cosines, np.array([0, 1, 1, 1]))
    assert [(each["index"], each["is"], each["called"]) for each in found] == [(2, "star", "ring"), (1, "star", "ring")]
    assert (found[0]["cosine"], found[0]["cosine_called"]) == (0.1, 0.8)


def test_table_of_clip():
    rows = [
        {
            "name": "clip",
            "says": "CLIP",
            "accuracy": {"zero-shot": 0.75, "few": 0.5},
            "per_class": {"zero-shot": {"ring": 1.0, "star": 0.5}},
            "failures": [
                {"index": 3, "caption": "a star", "is": "star", "called": "ring", "cosine": 0.1, "cosine_called": 0.2}
            ],
        }
    ]
    told = clip.markdown({"rows": rows})
    assert columns(told, "zero-shot") == ["75.0", "100.0", "50.0"] and columns(told, "few") == ["50.0", "-", "-"]
    assert columns(told, "3, a star") == ["ring", "0.2", "0.1", "a star"]


def test_gap_of_language_models_is_paired_by_seed():
    rows = [
        {"name": f"{m}_{s}", "method": m, "seed": s, "continuation": c, "probe": 0.5, "untrained_probe": 0.25}
        | {"common_token": 0.1, "common_word": 0.2, **({"infilling": 0.8} if m == "masked_lm" else {})}
        for m, values in (("causal_lm", (0.7, 0.8, 0.9)), ("masked_lm", (0.5, 0.6, 0.7)))
        for s, c in enumerate(values)
    ]
    told = language.together(rows, None)
    assert told["gap"]["continuation"] == pytest.approx(0.2) and told["gap"]["continuation_ci95"] == pytest.approx(0)
    assert told["methods"]["causal_lm"]["continuation_ci95"] == pytest.approx(stats.t.ppf(0.975, 2) * 0.1 / 3**0.5)
    assert "infilling" not in told["gap"]
    text = language.markdown({"rows": rows, **told})
    assert columns(text, "masked_lm")[0].startswith("60 ± 24.8")
    assert columns(text, "the commonest")[0] == "10"


def test_places_to_continue_from_are_inside_a_document():
    segments = np.repeat([[1, 1, 1, 1, 2, 2, 3, 0], [1, 1, 1, 1, 2, 3, 0, 0]], [200, 1], 0)
    index, places = language.hidden_places(segments)
    assert set(places.tolist()) == {5} and len(index) == 200  # none begins a document, none is padding


def test_table_of_mae_and_ijepa():
    rows = [
        {"name": name, "says": name, "steps": 10, "flops": 2e12, "figures": {"knn": 0.5, "nmi": 0.25, "linear_l2": 1.0}}
        | {"untrained": {"knn": 0.25, "nmi": 0.125}, "attention_distance": [8.0, 9.0], "heads_apart": [1.0, 2.0]}
        for name in ("MAE", "I-JEPA")
    ]
    text = mae_vs_ijepa.markdown({"rows": rows, "cka": {"MAE and I-JEPA": [[0.5, 0.1], [0.2, 0.75]]}})
    assert columns(text, "MAE") == ["10", "2", "50", "25"]
    assert columns(text, "CKA of MAE and I-JEPA, same block") == ["0.50", "0.75"]
    assert columns(text, "I-JEPA: attention distance, pixels (deviation over heads)") == ["8.0 (1.0)", "9.0 (2.0)"]


def test_clusters_that_are_the_classes_in_another_order_agree_with_them():
    rng, labels = np.random.default_rng(0), np.arange(60) % 3
    features = np.eye(3)[(labels + 1) % 3] + 0.01 * rng.normal(size=(60, 3))
    assert mae_vs_ijepa.agreement_with_classes(features, labels, 3) == pytest.approx(1)
    assert mae_vs_ijepa.agreement_with_classes(rng.normal(size=(60, 3)), labels, 3) < 0.3


def test_protocols_that_rank_checkpoints_in_the_reverse_order_are_told():
    def figures(*values):
        return {"knn": values[0], "linear": values[1], "linear_l2": 1.0}

    rows = [
        {"name": "simclr", "says": "SimCLR", "untrained": figures(0.1, 0.2)}
        | {"checkpoints": {"1": figures(0.3, 0.9), "2": figures(0.4, 0.8), "3": figures(0.5, 0.7)}},
        {
            "name": "supervised",
            "says": "labels",
            "untrained": figures(0.1, 0.2),
            "checkpoints": {"3": figures(0.6, 0.6)},
        }
        | {"classifier": 0.75, "from_scratch": 0.5},
    ]
    told = protocols.together(rows, None)
    assert [pair["tau"] for pair in told["agreement"]["all checkpoints"]] == [pytest.approx(-1)]
    assert told["agreement"]["the methods"][0]["runs"] == 2  # the last checkpoint of each, too few to rank
    text = protocols.markdown({"rows": rows, **told})
    assert columns(text, "SimCLR, step 2") == ["40", "80", "-", "-"]
    assert columns(text, "labels, the run's own classifier") == ["-", "-", "75", "-"]
    assert columns(text, "knn and linear") == ["-1", "-1"]


TINY = "synthetic:num_examples=80,image_size=16"
RESNET = ("encoder.stage_sizes=(1,)", "encoder.width=8", "image.size=8", "image.eval_size=8")


def run(name, folder, rows, capsys, *, data, method=()):
    """What the command finds of two steps of some rows; the second call repeats nothing and prints the table."""
    changes = ["steps=2", "data.batch_size=16", *(f"method.{change}" for change in method)]
    command = ["study", name, "--workdir", str(folder), "--rows", rows, "--data", data]
    command += [f"--config.{change}" for change in changes]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}
    assert main(command) == 0
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()} == before
    assert capsys.readouterr().out == frame.find(name).table(found) + "\n"
    return found


@pytest.mark.slow
def test_study_clip(tmp_path, capsys):
    data = f"{TINY},captions=1,caption_length=16"
    method = (*RESNET, "text_encoder.depth=1", "text_encoder.width=16", "width=8")
    (row,) = run("clip", tmp_path, "clip", capsys, data=data, method=method)["rows"]
    assert set(row["per_class"]) == {"zero-shot", "linear probe"} and len(row["per_class"]["zero-shot"]) == 10
    assert (tmp_path / "clip" / "failures.png").exists() == bool(row["failures"])


@pytest.mark.slow
def test_study_language(tmp_path, capsys):
    data, method = (
        "synthetic_text:num_examples=160,length=64",
        ("encoder.width=16", "encoder.depth=1", "encoder.heads=2"),
    )
    found = run("language", tmp_path, "masked_lm_0", capsys, data=data, method=method)
    assert set(found["methods"]["masked_lm"]) == {"continuation", "infilling", "probe", "untrained_probe"}


@pytest.mark.slow
def test_study_mae_vs_ijepa(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(mae_vs_ijepa, "PROTOCOLS", "knn")
    monkeypatch.setattr(mae_vs_ijepa, "work", lambda run: (1, 2))  # the command sets the steps
    method = ("encoder.width=16", "encoder.depth=2", "encoder.heads=2", "predictor.width=16", "predictor.depth=1")
    found = run("mae-vs-ijepa", tmp_path, "ijepa", capsys, data="synthetic:num_examples=80", method=method)
    assert np.shape(found["cka"]["I-JEPA and I-JEPA untrained"]) == (2, 2)
    (row,) = found["rows"]
    assert 0 <= row["figures"]["nmi"] <= 1 and len(row["attention_distance"]) == 2 and row["flops"] > 0


@pytest.mark.slow
def test_study_protocols(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(protocols, "TUNED", "finetune:epochs=1&labels=50%&batch_size=8")
    (row,) = run("protocols", tmp_path, "supervised", capsys, data=TINY, method=RESNET)["rows"]
    assert list(row["checkpoints"]) == ["2"] and set(row["untrained"]) >= {"knn", "knn_5", "linear"}
    assert 0 <= row["classifier"] <= 1 and 0 <= row["from_scratch"] <= 1
