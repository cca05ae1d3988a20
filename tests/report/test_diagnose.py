"""``jssl diagnose``: real runs through the command, sound and broken."""

import json

import numpy as np
import pytest
from runs import write_recipe

from jssl import methods
from jssl.cli import main
from jssl.diagnostics.verdict import VERDICTS

pytestmark = pytest.mark.slow

CONSTANT = """
import dataclasses, functools
import jax.numpy as jnp
from jssl import methods
from jssl.models import Features

moco = methods.find("moco").build

@methods.register("constant", paper="none", carries=("teacher", "queue"), golden="formula")
@functools.wraps(moco)
def build(given, **options):
    method = moco(given, **options)
    def apply(params, extra, inputs):
        return Features(jnp.ones((len(inputs), 8)) + 1e-4 * inputs[:, 0, 0, :1])
    readouts = {"image": method.readouts["image"]._replace(apply=apply)}
    return dataclasses.replace(method, name="constant", readouts=readouts)
"""


NETWORKS = ("encoder", "projector")


def diagnose(workdir, capsys, *arguments):
    capsys.readouterr()
    assert main(["diagnose", "--workdir", str(workdir), *arguments]) == 0
    return capsys.readouterr().out


def test_figures_of_encoder_and_head_beside_the_untrained_ones_and_a_verdict(tmp_path, capsys):
    recipe, run = write_recipe(tmp_path, "moco", 8), tmp_path / "w"
    assert main(["pretrain", "--config", recipe, "--workdir", str(run), "--no-progress"]) == 0
    report = json.loads(diagnose(run, capsys, "--json"))
    assert report == json.loads((run / "diagnosis.json").read_text())
    assert report["verdict"] in VERDICTS and report["evidence"] and report["step"] == report["steps"] == 8
    for readout in ("image", "projector"):
        trained, untrained = (report["figures"][readout][which] for which in ("trained", "untrained"))
        assert trained.keys() == untrained.keys() > {"rankme", "effective_rank", "lidar", "alignment", "uniformity"}
        assert trained["rankme"] != untrained["rankme"] and np.isfinite(list(trained.values())).all()
        assert trained["mutual_information"] <= np.log(16) + 1e-3
        assert len(report["spectrum"][readout]) == 16 if readout == "image" else 8
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    (logged,) = [line for line in lines if "eval/knn" in line]
    assert report["run"]["knn"] == logged["eval/knn"]
    assert report["run"]["loss"] == pytest.approx(logged["eval/loss"], rel=1e-4)
    assert 0 < report["run"]["ema_distance"] < 1 and 0 <= report["run"]["raw_knn"] <= 1
    assert report["over_time"] == [{"step": 7, **{k[5:]: v for k, v in logged.items() if k.startswith("eval/")}}]
    assert report["gradients"] == [
        {"step": line["step"], "all": line["grad_norm"], **{name: line[f"grad_norm/{name}"] for name in NETWORKS}}
        for line in lines
        if "grad_norm" in line
    ]
    for row in report["gradients"]:
        parts = [row[name] for name in NETWORKS]
        assert 0 < max(parts) < row["all"] < sum(parts)
    told = diagnose(run, capsys)  # the untrained figures are remembered
    assert told.rstrip().splitlines()[0].startswith("| features") and f"Verdict: {report['verdict']}\n- " in told
    assert "entropy of the targets, prototypes in use: the method has none" in told


def test_pictures_with_captions_are_compared_with_them(tmp_path, capsys):
    recipe = write_recipe(tmp_path, "clip", 2)
    assert main(["pretrain", "--config", recipe, "--workdir", str(tmp_path / "w"), "--no-progress"]) == 0
    report = json.loads(diagnose(tmp_path / "w", capsys, "--json"))
    assert set(report["figures"]) == {"image", "text", "image-text"}
    assert "lidar" in report["figures"]["image"]["trained"] and "lidar" not in report["figures"]["text"]["trained"]
    assert set(report["figures"]["image-text"]["trained"]) == {"alignment", "mutual_information"}


def test_text_of_other_data_has_neither_crops_nor_labels(tmp_path, capsys):
    recipe = write_recipe(tmp_path, "causal_lm", 2)
    assert main(["pretrain", "--config", recipe, "--workdir", str(tmp_path / "w"), "--no-progress"]) == 0
    other = "synthetic_text:num_examples=60,length=32"
    report = json.loads(diagnose(tmp_path / "w", capsys, "--json", "--data", other))
    assert report["data"] == other and "knn" not in report["run"]
    assert "rankme" in report["figures"]["text"]["trained"] and "lidar" not in report["figures"]["text"]["trained"]
    assert {line.partition(":")[0] for line in report["left_out"]} >= {
        "alignment, mutual information, LiDAR",
        "k-NN, and the raw input",
    }


def test_a_run_that_diverged_before_its_first_checkpoint(tmp_path, capsys):
    recipe = write_recipe(tmp_path, "moco", 8)
    arguments = ["pretrain", "--config", recipe, "--workdir", str(tmp_path / "w"), "--no-progress"]
    assert main([*arguments, "--config.optimizer.learning_rate=1e30", "--config.optimizer.warmup=0"]) == 1
    assert "Verdict: instability\n- loss or gradient norm was not finite at step 1" in diagnose(tmp_path / "w", capsys)


def test_a_collapse_is_told_and_stops_the_run_where_that_is_asked_for(tmp_path, capsys, caplog, monkeypatch, request):
    request.addfinalizer(lambda: methods.REGISTRY.pop("constant", None))
    (tmp_path / "constant.py").write_text(CONSTANT)
    monkeypatch.syspath_prepend(tmp_path)
    recipe = write_recipe(tmp_path, "moco", 3)
    arguments = [
        "pretrain",
        "--config",
        recipe,
        "--no-progress",
        "--config.imports=constant",
        "--config.run.eval_every=1",
    ]
    arguments += ["--config.method.name=constant", "--config.run.checkpoint_every=1"]
    assert main([*arguments, "--workdir", str(tmp_path / "stop"), "--config.run.on_collapse=stop"]) == 1
    assert "step 1: features at one point: deviation 0.000" in caplog.text
    error = capsys.readouterr().err
    assert error.startswith("jssl: step 2: features at one point") and error.count("\n") == 1
    caplog.clear()
    assert main([*arguments, "--workdir", str(tmp_path / "ignore"), "--config.run.on_collapse=ignore"]) == 0
    assert not caplog.text


def test_what_is_no_run_is_refused(tmp_path, capsys):
    assert main(["diagnose", "--workdir", str(tmp_path)]) == 2
    assert "config.json is missing" in capsys.readouterr().err
