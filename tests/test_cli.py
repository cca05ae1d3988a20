"""The command, end to end: real runs on synthetic images, real kills, one-line errors."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from runs import final_state, write_recipe

from jssl import config, methods
from jssl.cli import main
from jssl.report import drawings
from jssl.train import loop

pytestmark = pytest.mark.xdist_group("cli")  # one worker makes the finished run that most tests read


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One finished run, shared by the tests that only read it."""
    folder = tmp_path_factory.mktemp("run")
    recipe = write_recipe(folder, "mae", 8)
    assert main(["pretrain", "--config", recipe, "--workdir", str(folder / "w"), "--no-progress"]) == 0
    return recipe, folder / "w"


def test_metrics_are_valid_json_with_knn_and_collapse_measures(finished):
    rows = [json.loads(line) for line in (finished[1] / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [0, 2, 5, 7]
    assert all(np.isfinite(row["loss"]) for row in rows if "loss" in row)
    assert ["examples_per_second" in row for row in rows if "loss" in row] == [False, True, True, True]
    (online,) = [row for row in rows if "eval/knn" in row]
    assert (
        np.isfinite(online["eval/loss"])
        and 0 <= online["eval/knn"] <= 1
        and online["eval/rankme"] >= 1
        and "eval/feature_std" in online
    )


def test_a_finished_run_is_not_repeated(finished):
    recipe, workdir = finished
    before = (workdir / "metrics.jsonl").read_bytes()
    assert main(["pretrain", "--config", recipe, "--workdir", str(workdir), "--no-progress"]) == 0
    assert (workdir / "metrics.jsonl").read_bytes() == before


def test_an_interrupt_during_imports_is_one_line(tmp_path):
    """A module that is found in jax's place gets the signal while it is imported."""
    (tmp_path / "jax.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n")
    command = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"  # which a shell's `&` turns off
        f"from jssl import cli; sys.path.insert(0, {str(tmp_path)!r}); sys.exit(cli.main(['methods']))"
    )
    done = subprocess.run([sys.executable, "-c", command], stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (130, "jssl: interrupted\n")


@pytest.mark.slow
def test_a_finished_run_is_extended_and_starts_another(finished, tmp_path, caplog):
    recipe, workdir = finished
    shutil.copytree(workdir, tmp_path / "w")
    arguments = ["pretrain", "--config", recipe, "--no-progress", "--workdir"]
    assert main([*arguments, str(tmp_path / "w"), "--config.steps=10", "--config.data.feed=grain"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "w" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [0, 2, 5, 7, 8, 9]
    assert "step 8, steps 8 -> 10; this follows the length, from here on: learning_rate 0 -> " in caplog.text

    new = [*arguments, str(tmp_path / "new"), "--init-from", str(workdir), "--config.seed=1", "--config.steps=1"]
    assert main([*new, "--config.optimizer.learning_rate=0.0", "--config.optimizer.warmup=0"]) == 0
    record = json.loads((tmp_path / "new" / "init_from.json").read_text())
    assert record["step"] == 8 and len(record["taken"]) > 20 and record["left"] == []
    (state, _), (old, _) = final_state(tmp_path / "new"), final_state(workdir)
    assert all(np.array_equal(state[name], old[name]) for name in old if name.startswith(".params"))


def test_another_config_is_refused_and_named(finished, capsys):
    recipe, workdir = finished
    arguments = ["pretrain", "--config", recipe, "--workdir", str(workdir), "--config.optimizer.learning_rate=0.5"]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "optimizer.learning_rate: 0.03 -> 0.5" in error and error.count("\n") == 1


@pytest.mark.slow
def test_evaluate_compares_with_random_and_pixels(finished, capsys):
    assert main(["evaluate", "--workdir", str(finished[1]), "--protocols", "knn,linear"]) == 0
    results = json.loads((finished[1] / "evaluation.json").read_text())["results"]
    assert set(results) == {"encoder", "random", "raw input"}
    assert all({"knn", "linear"} <= set(row) for row in results.values())
    assert "| encoder |" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_of_an_older_version_is_resumed_and_evaluated(finished, tmp_path, monkeypatch):
    recipe, workdir = finished
    shutil.copytree(workdir, tmp_path / "w")
    newer = config.default_config()
    newer.data.crops = 1  # a key that the version which wrote the run did not have
    newer.optimizer.lookahead = {"steps": 5}
    monkeypatch.setattr(config, "default_config", newer.copy_and_resolve_references)
    read = config.read_json(tmp_path / "w" / "config.json")
    assert read.data.crops == 1 and read.optimizer.lookahead.steps == 5 and "stem" not in read.method.encoder
    arguments = ["--workdir", str(tmp_path / "w")]
    assert main(["evaluate", *arguments, "--protocols", "collapse"]) == 0
    assert main(["pretrain", "--config", recipe, *arguments, "--no-progress"]) == 0
    assert json.loads((tmp_path / "w" / "config.json").read_text())["data"]["crops"] == 1


def test_embed_writes_features_and_labels(finished, tmp_path):
    out = tmp_path / "features.npz"
    data = "synthetic:num_examples=20,image_size=16"
    arguments = ["embed", "--workdir", str(finished[1]), "--data", data, "--split", "train", "--out", str(out)]
    assert main(arguments) == 0
    with np.load(out) as file:
        assert file["features"].shape == (20, 16) and file["features"].dtype == np.float32
        assert file["labels"].shape == (20,) and np.ptp(file["features"], axis=0).max() > 0


DRAWN = ("colorization", "ibot", "causal_lm", "clip")  # between them every kind of panel: crops, masks, targets, text
PICTURES = [pytest.param(name, marks=[] if name in DRAWN else pytest.mark.slow) for name in sorted(methods.REGISTRY)]


@pytest.mark.parametrize("name", PICTURES)
def test_views_shows_what_the_method_sees(name, tmp_path, capsys):
    from PIL import Image

    out = tmp_path / f"{name}.png"
    recipe = write_recipe(tmp_path, name, 16)
    assert main(["views", "--config", recipe, "--out", str(out), "--num", "3"]) == 0
    printed, asks = capsys.readouterr().out, methods.find(name).asks
    if {"text", "captions"} & set(asks):
        assert len(re.findall(r"^(?:tokens|caption) \d: '.*\w", printed, re.MULTILINE)) == 3
    if not drawings.field_of(dict.fromkeys(methods.find(name).fields)):  # it reads nothing that can be looked at
        assert not out.exists()
        return
    with Image.open(out) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape[1] > 100 and pixels.shape[0] > 100
    assert len(np.unique(pixels[:, pixels.shape[1] // 2 :])) > 10  # the views are drawn, too


def test_methods_lists_everything(capsys):
    assert main(["methods"]) == 0
    printed = capsys.readouterr().out
    for name, entry in methods.REGISTRY.items():
        (line,) = [line for line in printed.splitlines() if line.startswith(f"{name} ")]
        assert entry.paper in line and all(word in line for word in (*entry.carries, *entry.asks))
        assert re.search(r"arXiv:\d{4}\.\d{5}|JMLR \d{4}|GPT-2", entry.paper)
    for word in ("carries: ", "asks: ", "golden: "):  # columns
        assert len({line.index(word) for line in printed.splitlines()}) == 1


def test_a_reader_that_leaves_is_no_error():
    command = [sys.executable, "-m", "jssl.cli", "methods"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()  # before the list is written: imports take seconds
        assert process.stderr.read() == "" and process.wait() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pretrain", "--config", "missing.py", "--workdir", "w"], "no config file missing.py"),
        (["evaluate", "--workdir", "missing"], "no run in missing"),
        # Told before anything is loaded: features take minutes.
        (["evaluate", "--workdir", "missing", "--protocols", "knn,lienar"], "no protocol 'lienar'; there are knn"),
        (["pretrain", "--config", "RECIPE", "--workdir", "w", "--config.data.source=tarr:x"], "did you mean"),
        (["pretrain", "--config", "RECIPE", "--workdir", "w", "--config.data.source=folder:none"], "none"),
        (
            ["pretrain", "--config", "RECIPE", "--workdir", "w", "--config.data.feed=stream"],
            "there are resident, grain",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = write_recipe(tmp_path, "mae", 8)
    assert main([recipe if word == "RECIPE" else word for word in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("jssl: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "w" / "checkpoints").exists()


def test_a_teacher_is_only_evaluated_where_there_is_one(finished, capsys):
    assert main(["evaluate", "--workdir", str(finished[1]), "--teacher"]) == 2
    assert "mae has no teacher" in capsys.readouterr().err


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_and_names_its_examples(tmp_path, capsys):
    recipe = write_recipe(tmp_path, "mae", 8)
    arguments = ["pretrain", "--config", recipe, "--workdir", str(tmp_path / "w"), "--no-progress"]
    overflow = ["--config.optimizer.learning_rate=1e30", "--config.optimizer.warmup=0"]
    assert main([*arguments, *overflow]) == 1
    assert "not" not in (error := capsys.readouterr().err).split("loss")[0] and error.count("\n") == 1
    report = json.loads((tmp_path / "w" / "nonfinite.json").read_text())
    assert report["step"] == 1 and len(report["index"]) == 16
    assert main([*arguments, *overflow, "--config.run.on_nonfinite=skip"]) == 0


@pytest.mark.slow
def test_no_step_runs_on_the_time_of_the_evaluation(tmp_path, monkeypatch):
    """Steps still queued when the clock is paused would be logged at many times their rate."""
    finished = []

    def evaluate(self, state):
        finished.append(state.step.is_ready())
        return {}

    monkeypatch.setattr(loop.OnlineEvaluation, "__call__", evaluate)
    recipe = write_recipe(tmp_path, "mae", 12)
    arguments = ["pretrain", "--config", recipe, "--workdir", str(tmp_path / "w"), "--no-progress"]
    assert main([*arguments, "--config.run.eval_every=4", "--config.run.log_every=12"]) == 0
    assert finished == [True] * 3


@pytest.mark.slow
def test_both_feeds_give_the_same_run(tmp_path):
    recipe, losses = write_recipe(tmp_path, "mae", 6), []
    for feed in ("resident", "grain"):
        workdir = tmp_path / feed
        arguments = ["pretrain", "--config", recipe, "--workdir", str(workdir), "--no-progress"]
        assert main([*arguments, f"--config.data.feed={feed}"]) == 0
        rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
        losses.append([row["loss"] for row in rows if "loss" in row])
    assert losses[0] == losses[1] and len(losses[0]) == 3
