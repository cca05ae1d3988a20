"""Every recipe builds and steps on data like those it is meant for, and the config system answers mistakes in one line."""

import functools
import importlib.util
import io
import json
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from rows import CORE

import jssl
from jssl import data, methods, sharding
from jssl.cli import main
from jssl.config import load_config
from jssl.data.card import Card
from jssl.data.encoded import EncodedSource
from jssl.train import setup
from jssl.train.state import make_views

ROOT = pathlib.Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
QUICKSTART = str(CONFIGS / "quickstart.py")


def variants(file: pathlib.Path) -> list[str]:
    """All variants of a recipe file, the default first."""
    spec = importlib.util.spec_from_file_location("recipe", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [",".join(words) for words in getattr(module.get_config, "variants", [()])]


RECIPES = {
    f"{file.stem}:{variant}": f"{file}:{variant}" if variant else str(file)
    for file in sorted(CONFIGS.glob("*.py"))
    for variant in variants(file)
}


class Ragged(EncodedSource):
    """Pictures of many sizes and shapes, as JPEG, as a folder of photos would give them."""

    def __init__(self, canvas: int | None, count: int = 12):
        rng = np.random.default_rng(0)
        self._encoded = []
        for _ in range(count):
            height, width = rng.integers(40, 300, 2)
            coarse = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
            file = io.BytesIO()
            Image.fromarray(coarse).resize((int(width), int(height))).save(file, "JPEG")
            self._encoded.append(file.getvalue())
        names = [f"{number}.jpg" for number in range(count)]
        super().__init__(names, np.arange(count) % 3, ("a", "b", "c"), image_size=canvas)

    def read(self, index):
        """The bytes."""
        return self._encoded[index]


def fake(config) -> data.Source:
    """A small stand-in for the data set of a config."""
    kind = config.data.source.partition(":")[0]
    if "text" in (asks := methods.find(config.method.name).asks):
        return data.open_source("synthetic_text:num_examples=12,length=33")
    if "captions" in asks:
        side = max(32, config.method.image["size"])
        return data.open_source(f"synthetic:num_examples=12,captions=1,image_size={side}")
    # CIFAR-10 and the shapes have one size; photos have any.
    return Ragged({"tfds": None, "folder": 128}.get(kind, 32))


def shrink(config) -> None:
    """The one set of overrides that makes any recipe tiny: its networks and batch, not its views or its wiring."""
    method = config.method
    for encoder in (method[name] for name in ("encoder", "text_encoder") if name in method):
        name = encoder["name"]
        if name.startswith("vit"):
            encoder.update({"name": "vit", "width": 16, "depth": 2, "heads": 2})
        elif name.startswith("resnet"):
            encoder.update({"name": "resnet", "stage_sizes": (1, 1, 1, 1), "width": 4})
        else:
            encoder.update({"width": 16, "depth": 1, "heads": 2})
    for name, size in (("decoder", 8), ("predictor", 8)):
        if name in method and hasattr(method[name], "items"):
            method[name].update({"width": size, "depth": 1, "heads": 2})
    options = methods.find(method.name).options
    for name in ("projector", "predictor", "classifier"):
        if name in options and isinstance(options[name].default, tuple):
            widths = method.get(name, options[name].default)
            method[name] = tuple(8 for _ in widths)
    if "head" in options:
        method.head = {**method.get("head", {}), "hidden": 8, "bottleneck": 8, "prototypes": 16}
    for name, size in (("prototypes", 16), ("queue_size", 16), ("dim", 8), ("top_blocks", 1), ("decoder_width", 4)):
        if name in options:
            method[name] = size
    if "predictor" in options and not isinstance(options["predictor"].default, tuple):
        method.predictor = {"width": 8, "depth": 1, "heads": 2}
    if "decoder" in options:
        method.decoder = {"width": 8, "depth": 1, "heads": 2}
    if "num_permutations" in options:
        method.num_permutations = 8
    own = config.optimizer.options.to_dict()
    config.optimizer.options = {name: own[name] for name in own if name not in ("num_layers", "layer_decay")}
    config.data.batch_size, config.dtype, config.fsdp = 8, "float32", 1


def parameters(method, spec):
    batch = {name: jnp.zeros((2, *field.shape), field.dtype) for name, field in spec.items()}
    views, _ = make_views(method, jax.random.key(0), 0, {**batch, "index": jnp.zeros(2, jnp.int32)})
    return method.init(jax.random.key(0), views)[0]


CARD = Card.of(data.open_source("synthetic:num_examples=640"))

QUICK = {"quickstart:", *(f"{name}:small,synthetic" for name in CORE)}
EVERY = [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in RECIPES]


@pytest.mark.parametrize("name", EVERY)
def test_recipe_builds(name):
    config = load_config(RECIPES[name], [])
    source = fake(config)
    run = setup.build(config, Card(source.spec, source.about, 1_281_167), mesh=sharding.make_mesh(jax.devices()[:1]))
    params = jax.eval_shape(functools.partial(parameters, run.method, source.spec))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) > 1000
    jax.eval_shape(run.tx.init, params)  # what its regexes name is there
    assert 0 <= run.config.optimizer.warmup < run.config.steps and run.config.run.eval_every <= run.config.steps
    assert name.startswith(f"{config.method.name}:") or name == "quickstart:"


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n == "quickstart:" else pytest.mark.slow) for n in RECIPES]
)
def test_recipe_does_its_first_steps_on_data_of_its_kind(name):
    """All views at full size, networks tiny."""
    config = load_config(RECIPES[name], [])
    shrink(config)
    config.steps = 10_000  # longer than any warm-up
    source = fake(config)
    run = setup.build(config, Card.of(source))
    state, specs = run.init_state()
    step, batches = run.make_step(specs), data.make_feed("grain", source, run.mesh, seed=0, global_batch=8).iterate()
    for batch, _ in zip(batches, range(2)):
        state, metrics = step(state, batch)
        assert np.isfinite(metrics["loss"]) and np.isfinite(metrics["grad_norm"])
    batches.close()


def test_every_method_has_a_small_recipe_and_a_full_one():
    for name in methods.REGISTRY:
        backbones = [words.split(",") for words in variants(CONFIGS / f"{name}.py")]
        assert backbones[0][0] == "small" and {backbone for backbone, _ in backbones} - {"small"}


@pytest.mark.parametrize("name", sorted(methods.REGISTRY))
def test_small_recipes_have_the_steps_of_the_published_run(name):
    result = ROOT / "benchmarks" / "results" / "quality_cifar10" / f"{name}_seed0.json"
    if not result.is_file():
        assert {"text", "captions"} & set(methods.find(name).asks)
        return
    config = load_config(f"{CONFIGS / name}.py:small,cifar10", [])
    steps = setup.resolve_lengths(config, 50_000).steps
    assert steps == pytest.approx(json.loads(result.read_text())["steps"], rel=0.015)


def test_lengths_follow_batch_size_and_run():
    def lengths(*overrides, examples=50_000):
        config = setup.resolve_lengths(
            load_config(f"{CONFIGS / 'dino'}.py:vit_small,imagenet", list(overrides)), examples
        )
        o = config.optimizer
        return config.steps, o.warmup, o.freeze_for, config.method.temperature.warmup

    base = lengths()
    assert base[0] == pytest.approx(800 * 50_000 / 1024, abs=1) and base[1] == round(10 * 50_000 / 1024)
    for ours, theirs in zip(lengths("data.batch_size=512"), base):
        assert ours == pytest.approx(2 * theirs, abs=1)
    assert lengths("steps=40 epochs")[0] == round(40 * 50_000 / 1024)
    small = setup.resolve_lengths(load_config(f"{CONFIGS / 'dino'}.py:small", ["steps=1000"]), 10_000)
    assert small.optimizer.warmup == 100 and small.run.eval_every == 125


@pytest.mark.parametrize("name", [name for name in RECIPES if name.endswith((",imagenet", ",photos"))])
def test_recipes_of_photos_have_lengths_that_fit_300_of_them(name):
    config = setup.resolve_lengths(load_config(name, []), 300)
    assert config.optimizer.warmup < config.steps and config.run.eval_every > 0


def test_lengths_beyond_the_run_are_all_named():
    with pytest.raises(ValueError) as error:
        setup.resolve_lengths(load_config("dino:vit_small,imagenet", ["steps=2"]), 1_281_167)
    assert str(error.value) == (
        "the run has 2 steps (steps=2, 1281167 examples, batches of 1024), too few for optimizer.warmup='10 epochs' "
        "(12511 steps), optimizer.freeze_for='1 epoch' (1251 steps), method.temperature.warmup='30 epochs' (37534 steps); "
        "train longer, or give shares of the run: --config.optimizer.warmup='5 %'"
    )
    for overrides in (["steps=1 epoch", "optimizer.warmup=0", "method.temperature.warmup=0"], ["steps=20 epochs"]):
        with pytest.raises(ValueError, match="too few for (optimizer.freeze_for|method.temperature.warmup)='"):
            setup.resolve_lengths(load_config("dino:vit_small,imagenet", overrides), 1_281_167)
    whole = setup.resolve_lengths(load_config("moco_v3:vit_small,imagenet", []), 1_281_167)
    assert whole.optimizer.freeze_for == whole.steps  # as its recipe says, in percent


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.freeze=last_layr", "optimizer.freeze='last_layr' finds no parameter; paths are like "),
        (
            "optimizer.constant_rate=^predictr",
            "optimizer.constant_rate='.predictr' finds no parameter; .* encoder, projector",
        ),
        ("optimizer.options.groups={'^hed': 10.0}", "optimizer.options.groups, 1='.hed' finds no parameter"),
    ],
)
def test_regexes_that_find_nothing_are_refused(override, message):
    run = setup.build(load_config("quickstart", [override]), CARD, mesh=sharding.make_mesh(jax.devices()[:1]))
    params = {"encoder": {"stem": jnp.zeros(2)}, "projector": {"kernel": jnp.zeros(2)}}
    with pytest.raises(ValueError, match=message):
        run.tx.init(params)


def test_small_crops_that_are_not_smaller_are_refused():
    """The recipe's local crops of 96 pixels stay when large ones become 96."""
    config = load_config("dino:vit_small,imagenet", ["method.image.size=96"])
    card = Card.of(data.open_source("synthetic:num_examples=64,image_size=128"))
    wanted = "method.crops.local_size=96 is not smaller than method.image.size=96; set it, too, to about 41"
    with pytest.raises(ValueError, match=wanted):
        setup.build(config, card, mesh=sharding.make_mesh(jax.devices()[:1]))


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("simclr.py:smal", "no variant 'smal'; did you mean 'small'"),
        ("simclr.py:small,resnet18", "no variant 'small,resnet18'; there are small,synthetic"),
        ("missing.py:small", "no config file .*missing.py; jssl recipes lists some"),
        ("../elsewhere/dino.py:small", "no config file .*; the recipe of this name is --config dino$"),
        ("quickstart.py:small", "quickstart.py has no variants; leave :small out"),
    ],
)
def test_wrong_variants_are_named(recipe, message):
    with pytest.raises(ValueError, match=message):
        load_config(str(CONFIGS / recipe), [])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.learning_rat=1", "did you mean 'optimizer.learning_rate'"),
        ("optimizer=1", "is a section"),
        ("seed=many", "expected int"),
        ("steps", "write --config.steps=value"),
        ("nonsense.key=1", "no config key"),
    ],
)
def test_wrong_overrides_are_named(override, message):
    with pytest.raises(ValueError, match=message):
        load_config(QUICKSTART, [override])


def test_overrides_keep_the_type():
    overrides = ["optimizer.learning_rate=1", "dtype=float32", "method.queue_size=512", "method.image.std=(1, 1, 1)"]
    config = load_config(QUICKSTART, [*overrides, "steps=5 epochs", "optimizer.warmup=7"])
    assert config.optimizer.learning_rate == 1.0 and isinstance(config.optimizer.learning_rate, float)
    assert config.method.queue_size == 512 and config.method.image.std == (1, 1, 1)
    assert config.steps == "5 epochs" and config.optimizer.warmup == 7


@pytest.mark.parametrize("name", ["simclr", "dino:small,photos", "quickstart"])
def test_recipes_go_by_name_wherever_the_package_is(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe, _, variant = name.partition(":")
    assert load_config(name, []).to_dict() == load_config(f"{CONFIGS / recipe}.py:{variant}", []).to_dict()


def test_an_unknown_recipe_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="no recipe 'simclrr'; did you mean 'simclr'"):
        load_config("simclrr:small", [])


def test_every_recipe_is_listed(capsys):
    assert main(["recipes"]) == 0
    listed = capsys.readouterr().out.split()
    assert {name.removesuffix(":") for name in RECIPES} == {*listed} and "dino:small,photos" in listed


HEAD = "from jssl.config import default_config\ndef get_config():\n    config = default_config()\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "mine.py defines no get_config"),
        ("a = 1\ndef get_config(:\n", "mine.py, line 2: SyntaxError: "),
        ("\nimport nonesuch\n", "mine.py, line 2: ModuleNotFoundError: No module named 'nonesuch'"),
        (HEAD + "    config.optimiser.name = 'sgd'\n    return config\n", "mine.py, line 4: AttributeError: "),
        (HEAD + "    return {}['size']\n", "mine.py, line 4: KeyError: 'size'"),
        (HEAD + "    raise ValueError('boom')\n", "mine.py, line 4: boom"),
        (HEAD, "mine.py, line 2: get_config returns nothing; return the config"),
        (HEAD + "    return 3\n", "mine.py, line 2: get_config returns a int; return the config"),
        (
            HEAD + "    config.optimizer.learning_rte = 1.0\n    return config\n",
            "did you mean 'optimizer.learning_rate'",
        ),
        (
            HEAD + "    config.imports = ('nonesuch.methods',)\n    return config\n",
            "imports: no module 'nonesuch'; install",
        ),
        (
            HEAD + "    config.imports = 'nonesuch'\n    return config\n",
            r"expected names of modules in a tuple, \('nonesuch',\)",
        ),
    ],
)
def test_wrong_files_are_named_with_the_line(text, message, tmp_path):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        load_config(str(tmp_path / "mine.py"), [])
    assert "\n" not in str(error.value)


def test_a_file_named_from_where_one_is_has_its_line_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("mine.py").write_text(HEAD + "    config.optimiser.name = 'sgd'\n")
    with pytest.raises(ValueError, match="mine.py, line 4: AttributeError: "):
        load_config("mine.py", [])


def test_a_module_that_fails_is_named_with_the_line(tmp_path, monkeypatch):
    (tmp_path / "half_written.py").write_text("import math\nmath.nonesuch\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(ValueError, match="imports: half_written fails: .*half_written.py, line 2: AttributeError"):
        load_config(QUICKSTART, ["imports=half_written"])


USERS_MODULE = """
import flax.linen as nn
import numpy as np
from jssl import data, methods
from jssl.methods import encoders
from jssl.methods.contrastive import simclr
from jssl.methods.options import ImageInput


@encoders.register("image", "mean_colour")
def mean_colour(*, width=8):
    return nn.Sequential([lambda images: images.mean((1, 2)), nn.Dense(width)])


@methods.register("my_simclr", paper="ours", golden="formula")
def build(given, *, image=ImageInput(size=8)):
    return simclr.build(given, image=image, encoder={"name": "mean_colour"}, projector=(8,))


@data.register("noise")
class Noise(data.ArraySource):
    OPTIONS = {}

    def __init__(self, path, split="train"):
        pictures = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3), dtype=np.uint8)
        super().__init__({"image": pictures, "label": np.arange(32) % 2})
"""
USERS_RECIPE = """
from jssl.config import default_config


def get_config():
    config = default_config()
    config.imports = ("mine",)
    config.method = {"name": "my_simclr"}
    config.data.update({"source": "noise:x", "batch_size": 8})
    config.steps = 2
    return config
"""


@pytest.mark.slow
def test_what_a_users_module_registers_is_found_by_every_command(tmp_path):
    """A method, an encoder and a source of a module beside the recipe, in processes that know the config alone."""
    (tmp_path / "mine.py").write_text(USERS_MODULE)
    (tmp_path / "recipe.py").write_text(USERS_RECIPE)
    package = str(pathlib.Path(jssl.__file__).parents[1])

    def run(*words):  # -P: as for the command `jssl`, the working directory is not on the path
        command = [sys.executable, "-P", "-m", "jssl.cli", *words]
        environment = {**os.environ, "PYTHONPATH": package, "XLA_FLAGS": ""}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("pretrain", "--config", "recipe.py", "--workdir", "run", "--no-progress")
    assert "knn" in run("evaluate", "--workdir", "run", "--protocols", "knn")
    run("embed", "--workdir", "run", "--data", "noise:x", "--out", "features.npz")
    assert np.load(tmp_path / "features.npz")["features"].shape == (64, 8)  # of both splits


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.name=simclrr", "did you mean 'simclr'"),
        ("method.temprature=0.1", "did you mean 'temperature'"),
        ("method.temperature=warm", "method.temperature='warm': expected float"),
        ("method.encoder.name=vgg", "no encoder 'vgg'"),
        ("method.encoder.widht=8", "the encoder resnet has no option 'widht'"),
        ("method.image.augment.strenght=1.0", "method.image.augment has no option 'strenght'"),
        ("method.image.sise=16", "method.image has no option 'sise'; did you mean 'size'"),
        ("method.image.mean=(0.5,)", r"method.image.mean=\(0.5,\): the pictures have 3 channels; give one for each"),
        ("method.image.std=(1.0, 1.0)", r"method.image.std=\(1.0, 1.0\): the pictures have 3 channels"),
        ("data.batch_size=30", "not divisible by 8 devices"),
        ("method.image.size=64", "pictures of 32x32 are smaller than crops of 64"),
        ("optimizer.name=adamq", "did you mean 'adamw'"),
        ("ema.schedule=linaer", "no ema.schedule 'linaer': use cosine or linear"),
        ("fsdp=3", "does not divide the 8 devices"),
        ("steps=many", "steps: duration 'many': not a length"),
        ("optimizer.warmup=3 weeks", "optimizer.warmup: duration '3 weeks': no unit 'weeks'"),
        ("steps=5 %", "steps: duration '5 %': the length of the run itself cannot be a share of it"),
    ],
)
def test_wrong_values_are_one_line(override, message):
    config = load_config(QUICKSTART, [override])
    with pytest.raises(ValueError, match=message) as error:
        setup.build(config, CARD)
    assert "\n" not in str(error.value)


def test_ema_momentum_comes_from_the_config():
    config = load_config(QUICKSTART, [])
    config.steps = 8
    config.ema.update({"momentum": 0.6, "momentum_end": 1.0})
    assert float(setup.make_momentum(config)(2)) == pytest.approx(1 - 0.4 * 0.853553)  # (1 + cos(pi / 4)) / 2
    config.ema.schedule = "linear"
    assert float(setup.make_momentum(config)(2)) == pytest.approx(0.7)


def test_constant_rate_and_clipping_come_from_the_config():
    config = load_config(QUICKSTART, [])
    config.steps, config.optimizer.clip_norm = 4, 1.0
    config.optimizer.update({"name": "sgd", "learning_rate": 0.1, "weight_decay": 0.0, "warmup": 0})
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
