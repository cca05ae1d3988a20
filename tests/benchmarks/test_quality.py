"""The quality benchmark: its arithmetic, and a real run of it, resumed."""

import doctest
import json
import pathlib
import shutil
import sys

import pytest
from rows import ROWS

from jssl.config import LENGTHS, flatten, load_config
from jssl.data import open_source
from jssl.data.card import Card
from jssl.diagnostics.verdict import VERDICTS
from jssl.durations import parse
from jssl.methods import lengths
from jssl.report.run import Loaded
from jssl.train import setup

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
sys.path.insert(0, str(FOLDER))  # a folder of scripts, not a package

import quality  # noqa: E402
import quality_compare  # noqa: E402
import quality_report  # noqa: E402
import quality_run  # noqa: E402

RECIPE = """
from jssl import recipes

def small(data):
    config = recipes.start({name!r}, data, batch_size=16, steps="80 epochs")
    config.method.update({row!r})
    config.dtype = "float32"
    config.optimizer.update({{"warmup": "10 %", "freeze_for": "0.5 epochs"}})
    config.run.update({{"online_bank": 40, "online_queries": 16}})
    return config

get_config = recipes.recipe((small, "synthetic"))
"""
DATA = "synthetic:num_examples=200,image_size=16"


def write_recipe(folder, name, row):
    file = folder / f"{name}.py"
    file.write_text(RECIPE.format(name=name, row=row))
    return file


@pytest.mark.parametrize("module", [quality, quality_compare, quality_run, quality_report])
def test_examples(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", quality.chosen("all", "synthetic"))
def test_lengths_of_the_recipes_follow_the_budget(name):
    """A length in steps would stay what it is when the budget holds fewer of them."""
    config = load_config(str(ROOT / "configs" / f"{name}.py:{quality_run.variant('synthetic')}"), [])
    assert config.method.name == name and config.data.source == "synthetic"
    given = flatten(config.to_dict())
    own = [key for key in (*LENGTHS, *(f"method.{option}" for option in lengths(name))) if not key.startswith("run.")]
    in_steps = {key: given[key] for key in own if given.get(key) and parse(given[key]).unit == "steps"}
    assert not in_steps


def test_a_budget_too_small_to_train_in_is_named():
    with pytest.raises(ValueError, match="2 s hold 4 steps of 0.5 s; give at least 10"):
        quality_run.fitting(2.0, 0.5)


def test_speed_leaves_the_compilation_out():
    rates = [(39, 100.0), (49, 50.0)]  # after the first line, which compiled: 39 and 10 steps of 6 images
    lines = [{"step": step, "loss": 0.0, "examples_per_second": rate} for step, rate in rates]
    lines.insert(0, {"step": 0, "loss": 0.0})
    lines.insert(2, {"step": 39, "eval/knn": 0.5})
    found = quality_run.speed(lines, batch_size=6)
    assert found["examples_per_second"] == 75.0
    assert found["minutes"] == pytest.approx((6 / 75 + 39 * 6 / 100 + 10 * 6 / 50) / 60)


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
        "examples_per_second": 50.0,
        "peak_memory_mib": 512.0,
        "minutes": 1.0,
        "encoder": {"knn": knn, **features},
        "random": {"knn": 0.25, **features},
        "raw": {"knn": 0.375, **features, "dimension": 48},
        **other,
    }


RUNS = [
    run("mae", 0, 0.25),
    run("mae", 1, 0.5),
    run("supervised", 0, 0.75),
    {key: value for key, value in run("dino", 0, 0.0, error="ValueError: a|b").items() if key != "raw"},
]


def test_rows_are_means_over_seeds_sorted_by_knn():
    first, second = quality_report.rows(RUNS)
    assert first["method"] == "supervised" and first["knn"] == {"mean": 0.75, "half": None}
    assert second["seeds"] == [0, 1] and second["knn"]["mean"] == 0.375 and second["margin"]["mean"] == 0.125
    # t(0.975, one degree of freedom) is tan(0.475 pi); the standard error is half the difference
    assert second["knn"]["half"] == pytest.approx(12.7062 * 0.125, rel=1e-4)
    assert second["random_knn"]["half"] == 0.0


def test_verdicts_stand_beside_the_figures_of_runs_that_have_one():
    runs = [run("mae", 0, 0.25, verdict="healthy"), run("mae", 1, 0.5, verdict="shortcut"), run("dino", 0, 0.1)]
    rows = quality_report.rows(runs)
    assert [row.get("verdict") for row in rows] == ["healthy, shortcut", None]
    page = quality_report.markdown({"command": "", "without_recipe": [], "raw": None, "rows": rows, "runs": runs})
    table = [line.rpartition(" | ")[2] for line in page.splitlines() if line.startswith("|")]
    assert table == ["verdict |", "--- |", "healthy, shortcut |", "- |"]


def test_the_page_shows_failures_and_what_was_skipped():
    result = {"command": "python x", "without_recipe": ["byol"], "raw": quality_report.raw(RUNS)}
    page = quality_report.markdown(result | {"rows": quality_report.rows(RUNS), "runs": RUNS})
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert [line.split("|")[1].strip() for line in table[2:]] == [
        "supervised (labels)",
        "mae",
        "raw input",
        "dino, seed 0",
    ]
    assert "| 37.5 ± 158.8 |" in table[3] and "10.0 ± 0.0 of 16" in table[3] and "10.0 of 48 | - | - |" in table[4]
    assert "failed: ValueError: a\\|b" in table[5] and len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert "No recipe, not run: byol." in page and "2 seeds" in page and "20 training and 4 test examples" in page


def test_figures_that_no_run_has_are_no_columns_and_a_single_run_shows_its_own_interval(tmp_path):
    sounds = {"few_labels_10": 0.5, "few_labels_10_ci95": 0.04, "linear[target=speaker]": 0.9}
    made = run("apc", 0, 0.75, budget_seconds=None, cpu_budget_seconds=90.0, data="audio:speech")
    for features in (made["encoder"], made["random"], made["raw"]):
        features |= sounds
    del made["minutes"], made["examples_per_second"]
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "apc_seed0.json").write_text(json.dumps(made))
    assert quality.main(["--data", "audio:speech", "--out", str(tmp_path / "q"), "--report"]) == 0
    page = (tmp_path / "q.md").read_text()
    table = [line.split(" | ") for line in page.splitlines() if line.startswith("|")]
    assert table[0][3:5] == ["10 a class %", "speaker %"] and not {"minutes |", "examples/s"} & {*table[0]}
    assert table[2][3:5] == table[3][3:5] == ["50.0 ± 4.0", "90.0"]
    assert "--cpu-budget 90" in page and "90 s of training each, of processor time" in page
    assert "Speaker: who speaks" in page and "Speaker" not in quality_report.markdown(
        {"command": "", "without_recipe": [], "raw": None, "rows": quality_report.rows(RUNS), "runs": RUNS}
    )


@pytest.mark.parametrize("name", ["quality_cifar10", "quality_synthetic", "quality_digits", "quality_clips"])
def test_published_tables_are_those_of_the_published_runs(name, tmp_path):
    results = FOLDER / "results"
    shutil.copytree(results / name, tmp_path / name)
    assert quality.main(["--out", str(tmp_path / name), "--report"]) == 0
    for suffix in (".md", ".json"):
        assert (tmp_path / f"{name}{suffix}").read_text() == (results / f"{name}{suffix}").read_text()


def test_methods_of_other_modalities_are_left_out():
    methods = quality.chosen("all", "synthetic")
    assert {"simclr", "supervised", "mae", "dinov2"} <= {*methods} and not {"causal_lm", "clip", "siglip"} & {*methods}
    with pytest.raises(
        ValueError, match="siglip learns from captions, and the table of folder:a is of pictures: leave it"
    ):
        quality.chosen("mae,siglip", "folder:a")
    assert {"apc", "audio_mae"} <= {*quality.chosen("all", "audio:speech?rate=8000")}
    assert quality.chosen("vjepa", "synthetic_clips:frames=8") == ["vjepa"] and "mae" not in quality.chosen(
        "all", "video:a"
    )


def reading(name, row, folder, *overrides):
    source = open_source(DATA, "test")
    config = load_config(f"{write_recipe(folder, name, row)}:small", [f"data.source={DATA}", *overrides])
    loaded = Loaded(setup.build(config, Card.of(source)), None)
    return json.dumps(quality_run.reading(loaded, source[0]))


def test_an_untrained_encoder_is_evaluated_once_for_all_that_read_alike(tmp_path):
    simclr = reading("simclr", ROWS["simclr"], tmp_path)
    assert simclr == reading("byol", ROWS["byol"], tmp_path)
    assert simclr == reading("simclr", ROWS["simclr"] | {"image": {"size": 16}}, tmp_path)  # augmented otherwise
    others = [
        reading("simclr", ROWS["simclr"], tmp_path, override)
        for override in ("seed=1", "dtype=bfloat16", "method.image.mean=(0.0, 0.0, 0.0)", "method.encoder.width=4")
    ]
    others.append(reading("simclr", ROWS["simclr"] | {"image": {"size": 16, "eval_size": 12}}, tmp_path))
    others.append(reading("colorization", ROWS["colorization"], tmp_path))  # of the lightness alone
    assert len({simclr, *others}) == 1 + len(others)


def table(**methods):
    runs = [run(name, 0, knn, encoder=figures(knn, linear)) for name, (knn, linear) in methods.items()]
    return {"rows": quality_report.rows(runs), "runs": runs}


def figures(knn, linear):
    return {"knn": knn, "linear": linear, "rankme": 1.0, "dimension": 16}


def test_a_method_that_lost_more_than_two_points_is_flagged():
    old = table(byol=(0.5, 0.6), dino=(0.5, 0.6), mae=(0.5, 0.6441), moco=(0.5, 0.6), simclr=(0.5, 0.6))
    new = table(byol=(0.7, 0.58), mae=(0.48, 0.6241), moco=(0.4799, 0.9), simclr=(0.9, float("nan")), vicreg=(0.1, 0.1))
    lines, worse = quality_compare.compare(old, new, ["byol", "dino", "mae", "moco", "simclr", "swav", "vicreg"])
    assert worse == ["dino", "moco", "simclr"]
    assert lines[2:] == [
        "| byol | 50.00 | 70.00 | +20.00 | 60.00 | 58.00 | -2.00 |  |",
        "| dino | 50.00 | - | - | 60.00 | - | - | no figure any more |",
        "| mae | 50.00 | 48.00 | -2.00 | 64.41 | 62.41 | -2.00 |  |",
        "| moco | 50.00 | 47.99 | -2.01 | 60.00 | 90.00 | +30.00 | worse |",
        "| simclr | 50.00 | 90.00 | +40.00 | 60.00 | nan | +nan | worse |",
        "| vicreg | - | 10.00 | - | - | 10.00 | - |  |",
    ]


def test_compare_prints_the_table_and_says_so_by_its_exit_code(tmp_path, capsys):
    out = tmp_path / "q"
    out.mkdir()
    for one in (run("mae", 0, 0.5), run("simclr", 0, 0.5), run("dino", 0, 0.0, error="ValueError: x")):
        (out / f"{one['method']}_seed0.json").write_text(json.dumps(one))
    arguments = ["--out", str(out), "--report", "--compare"]

    def old(name="old.json", **change):
        runs = [run("mae", 0, 0.51, **change), run("simclr", 0, 0.53, **change)]
        (tmp_path / name).write_text(json.dumps({"rows": quality_report.rows(runs), "runs": runs}))
        return str(tmp_path / name)

    assert quality.main([*arguments, old()]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[-2].startswith("| mae | 51.00 | 50.00 | -1.00 |") and printed[-1].endswith("| worse |")
    assert quality.main([*arguments, old(), "--methods", "mae"]) == 0
    assert "simclr" not in capsys.readouterr().out
    wrong = {
        old("q.json"): "is the table of these runs themselves; use another --out",
        old("budget.json", budget_seconds=30.0): f"runs on synthetic, 20 training examples, 30 s; {out} holds",
        old("num.json", num_train=21): "21 training examples",
        old("data.json", data="folder:flowers"): "holds runs on flowers",
        str(out / "mae_seed0.json"): "is no table of this benchmark; give the <out>.json of other runs",
        str(tmp_path / "absent.json"): "No such file",
    }
    for file, message in wrong.items():
        assert quality.main([*arguments, file]) == 2
        (error,) = capsys.readouterr().err.splitlines()
        assert message in error


def test_as_many_steps_as_another_table_took():
    runs = [run("mae", 1, 0.5) | {"steps": 7}, run("mae", 0, 0.5) | {"steps": 5}]
    runs.append({"method": "dino", "seed": 0, "error": "boom"})
    assert [quality_compare.steps({"runs": runs}, "mae", seed) for seed in (0, 1, 2)] == [5, 7, 5]
    with pytest.raises(ValueError, match="no finished run of dino"):
        quality_compare.steps({"runs": runs}, "dino", 0)


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
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # the jssl beside these tests, installed or not
    recipes, out = tmp_path / "configs", tmp_path / "results" / "q"
    recipes.mkdir()
    write_recipe(recipes, "mae", ROWS["mae"])
    write_recipe(recipes, "ijepa", ROWS["ijepa"] | {"blocks": {"min_kept": 1}})
    arguments = ["--methods", "mae,simclr,ijepa", "--data", DATA, "--budget", "2"]
    arguments += ["--out", str(out), "--work", str(tmp_path / "work"), "--config-dir", str(recipes)]

    assert quality.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "simclr: skipped" in printed and "mae, seed 0: k-NN" in printed
    assert "failed: ValueError: method.blocks has no option 'min_kept'; did you mean 'min_keep'?" in printed
    result = json.loads(out.with_name("q.json").read_text())
    (row,) = result["rows"]
    assert 0 <= row["knn"]["mean"] <= 1 and row["rankme"]["mean"] >= 1 and result["without_recipe"] == ["simclr"]
    (trained,) = [r for r in result["runs"] if "error" not in r]
    assert trained["steps"] >= 10 and trained["peak_memory_mib"] > 100 and 0 < trained["minutes"] < 1
    optimizer = trained["config"]["optimizer"]  # a share is one of what the budget held, an epoch is 200 / 16 steps
    assert optimizer["warmup"] == max(1, int(trained["steps"] / 10 + 0.5)) and optimizer["freeze_for"] == 6
    assert trained["num_train"] == 200 and trained["encoder"]["dimension"] == 16
    assert trained["verdict"] == row["verdict"] in VERDICTS and trained["evidence"]
    assert len(list(out.glob("raw_*.json"))) == len(list(out.glob("random_*.json"))) == 1
    page = out.with_name("q.md").read_text()
    assert "| mae |" in page and "| raw input |" in page and "| ijepa, seed 0 | failed:" in page
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
