"""Every recipe builds its method and optimiser, and the config system answers mistakes in one line."""

import ast
import json
import pathlib

import jax
import jax.numpy as jnp
import pytest
from rows import CORE

from jssl import methods
from jssl.config import load_config
from jssl.train import setup

ROOT = pathlib.Path(__file__).parents[1]
RECIPES = sorted((ROOT / "configs").glob("*.py"))


def is_quick(recipe):
    """Small recipes of the core methods; tracing the others is minutes in all."""
    return recipe.stem in ("quickstart", *(f"{name}_small_cifar10" for name in CORE))


EVERY = [pytest.param(path, id=path.stem, marks=[] if is_quick(path) else pytest.mark.slow) for path in RECIPES]


@pytest.mark.parametrize("recipe", EVERY)
def test_recipe_builds(recipe):
    config = load_config(str(recipe), [])
    side = max(32, config.image_size)
    run = setup.build(config, (side, side, 3))
    state = jax.eval_shape(lambda: run.init_state()[0])
    assert sum(leaf.size for leaf in jax.tree.leaves(state.params)) > 1000
    if recipe.stem != "quickstart":
        assert recipe.stem.startswith(f"{config.method.name}_")


def test_every_method_has_a_small_and_a_full_recipe():
    stems = {recipe.stem for recipe in RECIPES}
    for name in methods.REGISTRY:
        assert f"{name}_small_cifar10" in stems
        assert stems & {f"{name}_resnet18_cifar10", f"{name}_vit_tiny_cifar10"}


def test_readme_sums_up_the_benchmark():
    readme = " ".join((ROOT / "README.md").read_text().split())
    cifar10, synthetic = (
        json.loads((ROOT / "benchmarks" / "results" / f"quality_{data}.json").read_text())
        for data in ("cifar10", "synthetic")
    )
    minutes = [run["minutes"] for run in cifar10["runs"]]
    assert f"the runs took {round(min(minutes), 1):g} to {round(max(minutes), 1):g} minutes" in readme
    pixels = cifar10["pixels"]
    assert (
        f"pixels themselves reach {100 * pixels['knn']['mean']:.1f} % k-NN and {100 * pixels['linear']['mean']:.1f} % linear"
        in readme
    )
    margins = {row["method"]: 100 * row["margin"]["mean"] for row in synthetic["rows"]}
    assert set(margins) == set(methods.REGISTRY)
    worst, second = sorted(margins, key=margins.get)[:2]
    assert worst == "relative_position"
    assert f"by {margins[second]:.0f} points of k-NN or more there" in readme
    assert f"the pretext task relative position, {margins[worst]:.0f} points" in readme


@pytest.mark.parametrize("name", sorted(methods.REGISTRY))
def test_published_figures_are_those_of_the_benchmark(name):
    """README's row and the recipe's docstring and steps, against what benchmarks/quality.py wrote."""
    recipe = ROOT / "configs" / f"{name}_small_cifar10.py"
    docstring = " ".join(ast.get_docstring(ast.parse(recipe.read_text())).split())
    rows = [line for line in (ROOT / "README.md").read_text().splitlines() if f"| `{recipe.stem}`" in line]
    result = ROOT / "benchmarks" / "results" / "quality_cifar10" / f"{name}_seed0.json"
    if not result.is_file():
        assert "Not yet measured" in docstring and not rows
        return
    run = json.loads(result.read_text())
    knn, linear, untrained_knn, untrained_linear = (
        f"{100 * run[which][probe]:.1f} %" for which in ("encoder", "random") for probe in ("knn", "linear")
    )
    rankme = f"{run['encoder']['rankme']:.0f} of {run['encoder']['dimension']}"
    assert f"k-NN (k=20) {knn}, linear {linear}; the same encoder at random {untrained_knn}" in docstring
    assert f"{untrained_linear}. RankMe {rankme}. {run['steps']:,} steps" in docstring
    assert f"took {run['minutes']:.1f} minutes" in docstring
    assert load_config(str(recipe), []).steps == pytest.approx(run["steps"], rel=0.01)
    (row,) = rows
    assert [cell.strip() for cell in row.split("|")[2:7]] == [
        f"{knn} ({untrained_knn[:-2]})",
        f"{linear} ({untrained_linear[:-2]})",
        rankme,
        f"{run['minutes']:.1f} min",
        f"{run['images_per_second']:.0f}",
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.learning_rat=1", "did you mean 'optimizer.learning_rate'"),
        ("optimizer=1", "is a section"),
        ("steps=many", "expected int"),
        ("steps", "write --config.steps=value"),
        ("nonsense.key=1", "no config key"),
    ],
)
def test_wrong_overrides_are_named(override, message):
    with pytest.raises(ValueError, match=message):
        load_config(str(RECIPES[0]), [override])


def test_overrides_keep_the_type():
    config = load_config(str(RECIPES[0]), ["optimizer.learning_rate=1", "dtype=float32", "method.queue_size=512"])
    assert config.optimizer.learning_rate == 1.0 and isinstance(config.optimizer.learning_rate, float)
    assert config.method.queue_size == 512


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(ValueError, match="no config file"):
        load_config(str(tmp_path / "missing.py"), [])
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(ValueError, match="defines no get_config"):
        load_config(str(tmp_path / "empty.py"), [])
    (tmp_path / "typo.py").write_text(
        "from jssl.config import default_config\n"
        "def get_config():\n    config = default_config()\n    config.optimizer.learning_rte = 1.0\n    return config\n"
    )
    with pytest.raises(ValueError, match="did you mean 'optimizer.learning_rate'"):
        load_config(str(tmp_path / "typo.py"), [])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.name=simclrr", "did you mean 'simclr'"),
        ("method.temprature=0.1", "did you mean 'temperature'"),
        ("encoder.name=vgg", "no encoder 'vgg'"),
        ("encoder.widht=8", "simclr: ResNet has no option 'widht'"),
        ("augmentation.strenght=1.0", "simclr: Augmentation has no option 'strenght'"),
        ("data.batch_size=30", "not divisible by 8 devices"),
        ("image_size=64", "smaller than image_size=64"),
        ("optimizer.name=adamq", "did you mean 'adamw'"),
        ("teacher.schedule=linaer", "no teacher.schedule 'linaer': use cosine or linear"),
        ("fsdp=3", "does not divide the 8 devices"),
    ],
)
def test_wrong_values_are_one_line(override, message):
    config = load_config(str(RECIPES[0].with_name("quickstart.py")), [override])
    with pytest.raises(ValueError, match=message) as error:
        setup.build(config, (32, 32, 3))
    assert "\n" not in str(error.value)


def test_teacher_momentum_comes_from_the_config():
    config = load_config(str(RECIPES[0].with_name("quickstart.py")), [])
    config.steps = 8
    config.teacher.update({"momentum": 0.6, "momentum_end": 1.0})
    assert float(setup.make_momentum(config)(2)) == pytest.approx(1 - 0.4 * 0.853553)  # (1 + cos(pi / 4)) / 2
    config.teacher.schedule = "linear"
    assert float(setup.make_momentum(config)(2)) == pytest.approx(0.7)


def test_constant_rate_and_clipping_come_from_the_config():
    config = load_config(str(RECIPES[0].with_name("quickstart.py")), [])
    config.steps, config.optimizer.clip_norm = 4, 1.0
    config.optimizer.update({"name": "sgd", "learning_rate": 0.1, "weight_decay": 0.0, "warmup_steps": 0})
    config.optimizer.options = {"momentum": 0.0}
    config.optimizer.constant_rate = "^predictor"
    tx, params = setup.make_optimizer(config), {"encoder": jnp.zeros(1), "predictor": jnp.zeros(1)}
    state, updates = tx.init(params), []
    for _ in range(4):
        step, state = tx.update({"encoder": jnp.array([3.0]), "predictor": jnp.array([4.0])}, state, params)
        updates.append((float(step["encoder"][0]), float(step["predictor"][0])))
    encoder, predictor = zip(*updates)
    assert encoder == pytest.approx([-0.06 * x for x in (1.0, 0.853553, 0.5, 0.146447)], rel=1e-4)
    assert predictor == pytest.approx([-0.08] * 4, rel=1e-5)  # 0.1 times 4 of a gradient whose norm was 5
