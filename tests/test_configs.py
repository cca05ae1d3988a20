"""The config system answers mistakes in one line, and finds what a user's modules register."""

import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jssl
from jssl import data, sharding
from jssl.config import load_config
from jssl.data.card import Card
from jssl.train import setup

ROOT = pathlib.Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
QUICKSTART = str(CONFIGS / "quickstart.py")


CARD = Card.of(data.open_source("synthetic:num_examples=640"))


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
