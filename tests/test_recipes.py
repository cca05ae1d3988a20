"""Every recipe builds and steps on data like those it is meant for, and its lengths fit them."""

import functools
import importlib.util
import io
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from rows import CORE

from jssl import data, methods, sharding
from jssl.cli import main
from jssl.config import load_config
from jssl.data.card import Card
from jssl.data.images.encoded import EncodedSource
from jssl.train import setup
from jssl.train.state import abstract_state, make_views

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
    if {"audio", "video"} <= {*asks}:
        video, rate = config.method.video, 16_000 if kind == "video" else 8000
        return data.open_source(
            f"synthetic_clips:num_examples=12,frames={video['frames']},image_size={video['size']},sound={rate}"
        )
    if "audio" in asks:
        sizes = "seconds=10.24,rate=16000" if kind == "audio" and "16000" in config.data.source else "seconds=1"
        return data.open_source(f"synthetic_sound:num_examples=12,{sizes}")
    if "actions" in asks:
        video = config.method.video
        return data.open_source(f"synthetic_rooms:num_examples=12,frames={video['frames']},image_size={video['size']}")
    if "video" in asks:
        video = config.method.video
        return data.open_source(f"synthetic_clips:num_examples=12,frames={video['frames']},image_size={video['size']}")
    if "captions" in asks:
        side = max(32, config.method.image["size"])
        return data.open_source(f"synthetic:num_examples=12,captions=1,image_size={side}")
    # CIFAR-10 and the shapes have one size; photos have any.
    return Ragged({"tfds": None, "folder": 128}.get(kind, 32))


def shrink(config) -> None:
    """The one set of overrides that makes any recipe tiny: its networks and batch, not its views or its wiring."""
    method = config.method
    for encoder in (method[name] for name in ("encoder", "text_encoder", "audio_encoder") if name in method):
        name = encoder["name"]
        if name.startswith("vit"):
            encoder.update({"name": "vit", "width": 16, "depth": 2, "heads": 2})
        elif name.startswith("resnet"):
            encoder.update({"name": "resnet", "stage_sizes": (1, 1, 1, 1), "width": 4})
        elif name.endswith("gru"):
            encoder.update({"width": 16, "depth": 1})
        else:
            encoder.update({"width": 16, "depth": 1, "heads": 2})
        if name.startswith("wave"):
            encoder["layers"] = ((8, 10, 40), (8, 8, 8))  # few frames: attention grows with their square
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
        method.predictor = {"width": 12, "depth": 1, "heads": 2}  # rotary heads of clips have 6 channels at least
    if "decoder" in options:
        method.decoder = {"width": 8, "depth": 1, "heads": 2}
    if "inverse" in options:
        method.inverse, method.rollout = (8,), 2
    if "flow" in options:
        method.flow = {"width": 8, "depth": 1, "reach": 1}
    if "codes" in options:
        method.codes, method.width = {**method.get("codes", {}), "entries": 8, "width": 8}, 8
    if "steps_ahead" in method:
        method.steps_ahead = 2  # half a second has twelve of these frames
    if "num_permutations" in options:
        method.num_permutations = 8
    if "video" in method:  # 18 tubelets instead of 1,568
        method.video.update({"size": min(48, method.video["size"]), "frames": 4})
    if "audio_encoder" in method:  # the half a second that these last is 32 frames
        method.spectrogram = {**method.get("spectrogram", {}), "hop": 15.625}
    own = config.optimizer.options.to_dict()
    config.optimizer.options = {name: own[name] for name in own if name not in ("num_layers", "layer_decay")}
    config.data.batch_size, config.dtype, config.fsdp = 8, "float32", 1


def parameters(method, spec):
    batch = {name: jnp.zeros((2, *field.shape), field.dtype) for name, field in spec.items()}
    views, _ = make_views(method, jax.random.key(0), 0, {**batch, "index": jnp.zeros(2, jnp.int32)})
    return method.init(jax.random.key(0), views)[0]


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


def tiny_run(name):
    """The parts of a recipe's run on one device, with all views at full size and tiny networks: (run, feed)."""
    config = load_config(RECIPES[name], [])
    shrink(config)
    config.steps = 10_000  # longer than any warm-up
    source = fake(config)
    run = setup.build(config, Card.of(source), mesh=sharding.make_mesh(jax.devices()[:1]))
    return run, data.make_feed("grain", source, run.mesh, seed=0, global_batch=8)


def stepped() -> set[str]:
    """The variants whose steps are compiled, which is slow: a recipe's last one, at the paper's size, which uses most options.

    Made tiny, the variants for CIFAR-10 differ from those for shapes in normalisation and lengths alone. Photos have any size.
    """
    own = [name for name in RECIPES if not name.endswith((",cifar10", ",digits"))]
    last = {name.partition(":")[0]: name for name in own if not name.endswith(",photos")}
    return {*last.values(), *(name for name in own if name.endswith(",photos"))}


STEPPED = stepped()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(STEPPED))
def test_recipe_does_its_first_steps_on_data_of_its_kind(name):
    run, feed = tiny_run(name)
    state, specs = run.init_state()
    step, batches = run.make_step(specs), feed.iterate()
    for batch, _ in zip(batches, range(2)):
        state, metrics = step(state, batch)
        assert np.isfinite(metrics["loss"]) and np.isfinite(metrics["grad_norm"])
    batches.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in RECIPES if name not in STEPPED])
def test_recipe_traces_its_step_on_data_of_its_kind(name):
    run, feed = tiny_run(name)
    state = abstract_state(run.method, run.tx, run.key, run.card.spec, run.mesh)
    step = run.make_step(jax.tree.map(lambda leaf: leaf.sharding.spec, state))
    after, metrics = jax.eval_shape(step, state, feed.batch(0))
    assert jax.tree.structure(after) == jax.tree.structure(state) and metrics["loss"].shape == ()


def test_every_method_has_a_small_recipe_and_a_full_one():
    for name in methods.REGISTRY:
        backbones = [words.split(",") for words in variants(CONFIGS / f"{name}.py")]
        assert backbones[0][0] == "small" and {backbone for backbone, _ in backbones} - {"small"}


UNPUBLISHED = {"lejepa"}  # methods of pictures that the table of results does not have yet


@pytest.mark.parametrize("name", sorted(methods.REGISTRY))
def test_small_recipes_have_the_steps_of_the_published_run(name):
    result = ROOT / "benchmarks" / "results" / "quality_cifar10" / f"{name}_seed0.json"
    if not result.is_file():
        assert methods.find(name).fields != ("image",) or name in UNPUBLISHED
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
