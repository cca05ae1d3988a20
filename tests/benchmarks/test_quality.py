"""The quality benchmark: its arithmetic, and a real run of it, resumed."""

import doctest
import json
import pathlib
import shutil
import sys

import pytest
from rows import ROWS

from jssl.config import default_config

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))  # a folder of scripts, not a package

import quality  # noqa: E402
import quality_report  # noqa: E402
import quality_run  # noqa: E402

RECIPE = """
from jssl.config import default_config

def get_config():
    config = default_config()
    row = {row!r}
    config.encoder = row.pop("encoder")
    config.augmentation = row.pop("augmentation", {{}})
    config.method = {{"name": {name!r}, **row}}
    config.image_size, config.dtype, config.steps = 16, "float32", 1000
    config.data.batch_size = 16
    config.optimizer.warmup_steps = 100
    config.run.update({{"online_bank": 40, "online_queries": 16}})
    return config
"""


@pytest.mark.parametrize("module", [quality, quality_run, quality_report])
def test_examples(module):
    assert doctest.testmod(module).failed == 0


def test_lengths_in_steps_are_stretched_with_the_run():
    config = default_config()
    config.method = {"name": "dino", "teacher_temperature_warmup_steps": 300, "hidden": 512}
    config.optimizer.update({"warmup_steps": 60, "freeze_steps": 0})
    config.steps = 900
    quality_run.scale_steps(config, steps=300)
    assert config.steps == 300 and config.method.teacher_temperature_warmup_steps == 100
    assert config.optimizer.warmup_steps == 20 and config.optimizer.freeze_steps == 0 and config.method.hidden == 512
    quality_run.scale_steps(config, steps=10)
    assert config.optimizer.warmup_steps == 1 and config.run.log_every == default_config().run.log_every


def test_a_budget_too_small_to_train_in_is_named():
    with pytest.raises(ValueError, match="2 s hold 4 steps of 0.5 s; give at least 10"):
        quality_run.fitting(2.0, 0.5)


def test_speed_leaves_the_compilation_out():
    rates = [(19, 1.0), (39, 100.0), (49, 50.0)]  # the first line compiled; 20, 20 and 10 steps of 6 images
    lines = [{"step": step, "loss": 0.0, "images_per_second": rate} for step, rate in rates]
    lines.insert(2, {"step": 39, "eval/knn": 0.5})
    found = quality_run.speed(lines, batch_size=6)
    assert found["images_per_second"] == 75.0
    assert found["minutes"] == pytest.approx((20 * 6 / 75 + 20 * 6 / 100 + 10 * 6 / 50) / 60)


def run(method, seed, knn, **other):
    features = {"linear": 0.5, "rankme": 10.0, "dimension": 16}
    return {
        "method": method,
        "seed": seed,
        "labels": method == "supervised",
        "data": "synthetic",
        "budget_seconds": 60.0,
        "machine": "2 cores",
        "jax": "0",
        "date": "2000-01-01",
        "device": "1 x cpu",
        "num_train": 20,
        "num_test": 4,
        "steps": 100,
        "images_per_second": 50.0,
        "peak_memory_mib": 512.0,
        "minutes": 1.0,
        "encoder": {"knn": knn, **features},
        "random": {"knn": 0.25, **features},
        "pixels": {"knn": 0.375, **features, "dimension": 48},
        **other,
    }


RUNS = [
    run("mae", 0, 0.25),
    run("mae", 1, 0.5),
    run("supervised", 0, 0.75),
    {key: value for key, value in run("dino", 0, 0.0, error="ValueError: a|b").items() if key != "pixels"},
]


def test_rows_are_means_over_seeds_sorted_by_knn():
    first, second = quality_report.rows(RUNS)
    assert first["method"] == "supervised" and first["knn"] == {"mean": 0.75, "half": None}
    assert second["seeds"] == [0, 1] and second["knn"]["mean"] == 0.375 and second["margin"]["mean"] == 0.125
    # t(0.975, one degree of freedom) is tan(0.475 pi); the standard error is half the difference
    assert second["knn"]["half"] == pytest.approx(12.7062 * 0.125, rel=1e-4)
    assert second["random_knn"]["half"] == 0.0


def test_the_page_shows_failures_and_what_was_skipped():
    result = {"command": "python x", "without_recipe": ["byol"], "pixels": quality_report.pixels(RUNS)}
    page = quality_report.markdown(result | {"rows": quality_report.rows(RUNS), "runs": RUNS})
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert [line.split("|")[1].strip() for line in table[2:]] == [
        "supervised (labels)",
        "mae",
        "raw pixels",
        "dino, seed 0",
    ]
    assert "| 37.5 ± 158.8 |" in table[3] and "10.0 ± 0.0 of 16" in table[3] and "10.0 of 48 | - | - |" in table[4]
    assert "failed: ValueError: a\\|b" in table[5] and len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert "No recipe, not run: byol." in page and "2 seeds" in page and "20 training and 4 test images" in page


@pytest.mark.parametrize("name", ["quality_cifar10", "quality_synthetic"])
def test_published_tables_are_those_of_the_published_runs(name, tmp_path):
    results = FOLDER / "results"
    shutil.copytree(results / name, tmp_path / name)
    assert quality.main(["--out", str(tmp_path / name), "--report"]) == 0
    for suffix in (".md", ".json"):
        assert (tmp_path / f"{name}{suffix}").read_text() == (results / f"{name}{suffix}").read_text()


def test_wrong_arguments_are_one_line(tmp_path, capsys):
    assert quality.main(["--methods", "simclrr", "--budget", "1"]) == 2
    assert quality.main(["--out", str(tmp_path / "q")]) == 2
    assert quality.main(["--out", str(tmp_path / "q"), "--report"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert [error.split(";")[0] for error in errors[:1]] == ["quality: no method 'simclrr'"]
    assert "--budget SECONDS is missing" in errors[1] and "no finished run" in errors[2] and len(errors) == 3
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "mae_seed0.json").write_text(json.dumps(run("mae", 0, 0.5)))
    assert quality.main(["--out", str(tmp_path / "q"), "--budget", "61"]) == 2
    assert "budget_seconds=60.0, not 61.0; use another --out" in capsys.readouterr().err


@pytest.mark.slow
def test_a_real_run_is_resumed_and_repeats_only_what_was_deleted(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XLA_FLAGS", "")  # one device, as users have
    recipes, out = tmp_path / "configs", tmp_path / "results" / "q"
    recipes.mkdir()
    for name, row in {"mae": ROWS["mae"], "ijepa": {**ROWS["ijepa"], "min_kept": 1}}.items():
        (recipes / f"{name}_small_cifar10.py").write_text(RECIPE.format(row=dict(row), name=name))
    arguments = ["--methods", "mae,simclr,ijepa", "--data", "synthetic:num_examples=200,image_size=16", "--budget", "2"]
    arguments += ["--out", str(out), "--work", str(tmp_path / "work"), "--config-dir", str(recipes)]

    assert quality.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "simclr: skipped" in printed and "mae, seed 0: k-NN" in printed
    assert "failed: ValueError: ijepa has no option 'min_kept'; did you mean 'min_keep'?" in printed
    result = json.loads(out.with_name("q.json").read_text())
    (row,) = result["rows"]
    assert 0 <= row["knn"]["mean"] <= 1 and row["rankme"]["mean"] >= 1 and result["without_recipe"] == ["simclr"]
    (trained,) = [r for r in result["runs"] if "error" not in r]
    assert trained["steps"] >= 10 and trained["peak_memory_mib"] > 100 and 0 < trained["minutes"] < 1
    assert trained["config"]["optimizer"]["warmup_steps"] == max(1, round(trained["steps"] / 10))
    assert trained["num_train"] == 200 and trained["encoder"]["dimension"] == 16
    assert len(list(out.glob("pixels_*.json"))) == len(list(out.glob("random_*.json"))) == 1
    page = out.with_name("q.md").read_text()
    assert "| mae |" in page and "| raw pixels |" in page and "| ijepa, seed 0 | failed:" in page
    assert str(tmp_path) not in page + out.with_name("q.json").read_text()

    def written():
        return {file.name: file.stat().st_mtime_ns for file in out.glob("*_seed*.json")}

    before = written()
    assert quality.main(arguments) == 0
    assert "seed" not in capsys.readouterr().out and written() == before
    (out / "ijepa_seed0.json").unlink()
    assert quality.main(arguments) == 0
    assert capsys.readouterr().out.count("seed") == 1
    assert {name for name, when in written().items() if when != before[name]} == {"ijepa_seed0.json"}
