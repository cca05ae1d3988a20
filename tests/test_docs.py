"""README and the pages in docs/: their Python runs, what it builds trains on any devices, and what they name is there."""

import pathlib
import re
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from harness import BATCH, RULES, arrays, assert_same_run
from rows import LIGHT

import jssl
from jssl import methods, sharding
from jssl.config import load_config
from jssl.data import open_source, stack
from jssl.data import registry as sources
from jssl.methods import encoders, registry
from jssl.report.embed import embed_run
from jssl.report.feature_file import Examples, FeatureFile
from jssl.train import optimizers
from jssl.train.checkpoints import Checkpointer
from jssl.train.loop import pretrain
from jssl.train.setup import abstract
from jssl.train.state import init_state
from jssl.train.step import make_train_step

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = {str(path.relative_to(ROOT)): path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
BACKBONES = ("linen", "named", "nnx", "equinox")


@pytest.fixture
def run_page(monkeypatch):
    """run_page("docs/<name>.md"): its Python blocks as one module. What they register is forgotten after the test."""
    monkeypatch.setattr(registry, "REGISTRY", dict(registry.REGISTRY))
    monkeypatch.setattr(sources, "_KINDS", dict(sources._KINDS))
    monkeypatch.setattr(encoders, "ENCODERS", {field: dict(known) for field, known in encoders.ENCODERS.items()})

    def run(name):
        module = types.ModuleType(pathlib.Path(name).stem)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        text = PAGES[name].read_text()
        for block in re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S):
            lines = "\n" * text[: block.start(1)].count("\n")  # so that a traceback names the line of the page
            exec(compile(lines + block[1], PAGES[name], "exec"), module.__dict__)
        return module

    return run


@pytest.fixture
def series(run_page, monkeypatch, tmp_path):
    """The page on modalities, in a folder with the file that it reads."""
    page = run_page("docs/add_a_modality.md")
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.save("waves.npy", np.sin(rng.uniform(0.1, 0.9, (80, 1)) * np.arange(24) + rng.uniform(0, 6, (80, 1))))
    return page


def exists(path):
    """Whether a file of the repository is there; those of the package are looked up where it is imported from."""
    return any((root / path).exists() for root in (ROOT, pathlib.Path(jssl.__file__).parents[1]))


def train(method, spec, batch, *, devices, fsdp=1):
    """(losses, state at step 0, state) of two steps; the batch is split over the devices, the state over ``fsdp``."""
    mesh = sharding.make_mesh(jax.devices()[:devices], fsdp=fsdp)
    tx = optimizers.build("sgd", learning_rate=0.01)
    state, specs = init_state(method, tx, jax.random.key(0), spec, mesh, RULES)
    if fsdp > 1:
        assert any("fsdp" in part for part in jax.tree.leaves(specs.params["encoder"])), (
            "nothing of the encoder is split"
        )
    first, losses = arrays(state), []
    step = make_train_step(method, tx, mesh, specs)
    batch = jax.device_put(batch, sharding.batch_sharding(mesh))
    for _ in range(2):
        state, metrics = step(state, batch)
        losses.append(float(metrics["loss"]))
    return losses, first, state


def simclr(page, kind):
    options = {"image": {"size": 16, "augment": LIGHT}, "projector": (16, 8)}
    return methods.build("simclr", spec=page.spec, encoder=getattr(page, f"{kind}_encoder"), **options)


@pytest.mark.parametrize("page", ("README.md", "docs/diagnosis.md", "docs/evaluation.md"))
def test_the_programs_on_a_page_run(run_page, page):
    run_page(page)


@pytest.mark.slow
@pytest.mark.parametrize("page", ("docs/objectives.md", "docs/own_loop.md", "docs/views.md"))
def test_the_programs_of_a_page_that_compile_more_run(run_page, page):
    with jax.numpy_dtype_promotion("standard"):  # as readers have it: optax's own optimisers promote
        run_page(page)


@pytest.mark.slow
@pytest.mark.parametrize("kind", BACKBONES)
def test_a_backbone_of_ones_own_trains_on_any_devices(run_page, kind):
    page = run_page("docs/own_backbone.md")
    method = simclr(page, kind)
    pictures = np.random.default_rng(0).integers(0, 255, (BATCH, 8, 8, 3), dtype=np.uint8).repeat(4, 1).repeat(4, 2)
    batch = {"image": pictures, "index": np.arange(BATCH, dtype=np.int32)}
    losses, first, state = train(method, page.spec, batch, devices=1)
    split_losses, _, split_state = train(method, page.spec, batch, devices=8, fsdp=2)
    assert_same_run(split_losses, losses, split_state, state)  # batch statistics and dropout, too
    last = arrays(state)
    kernels = [path for path, value in first.items() if ".params['encoder']" in path and value.ndim == 4]
    assert kernels and all(np.any(first[path] != last[path]) for path in kernels)
    if kind != "equinox":
        statistics = [path for path in first if "batch_stats" in path and "encoder" in path]
        assert len(statistics) == 2 and all(np.any(first[path] != last[path]) for path in statistics)


@pytest.mark.slow
@pytest.mark.parametrize("kind", BACKBONES)
def test_a_backbone_of_ones_own_is_read_saved_and_optimised_like_any_other(run_page, kind, tmp_path):
    page = run_page("docs/own_backbone.md")
    method, mesh = simclr(page, kind), sharding.make_mesh(jax.devices()[:1])
    tx = optimizers.build("adamw", learning_rate=1.0, weight_decay=0.1, exclude="bias")
    state, _ = init_state(method, tx, jax.random.key(0), page.spec, mesh)
    readout = method.readouts["image"]
    inputs = jax.vmap(readout.prepare)({"image": np.zeros((3, 32, 32, 3), np.uint8)})
    assert readout.apply(*methods.weights(state), inputs).pooled.shape == (3, 16)

    with Checkpointer(tmp_path, every=1) as checkpoints:
        checkpoints.save(1, state, {})
        restored, _, _ = checkpoints.restore(abstract(state))
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    saved, loaded = arrays(state), arrays(restored)
    assert all(np.array_equal(saved[path], loaded[path]) for path in saved)

    # Without a gradient all that moves a parameter is weight decay: kernels by their path, and no bias or norm.
    updates, _ = tx.update(jax.tree.map(jnp.zeros_like, state.params), state.opt_state, state.params)
    decayed = {path for path, value in arrays(updates["encoder"]).items() if np.any(value)}
    kernel = "conv.weight" if kind == "equinox" else "kernel"
    assert len(decayed) == 1 and kernel in decayed.pop()


def test_a_recipe_names_an_encoder_that_its_file_registers(run_page, tmp_path, monkeypatch):
    page = run_page("docs/own_backbone.md")
    recipe = tmp_path / "mine.py"
    recipe.write_text(
        f"import {page.__name__}\nfrom jssl.config import default_config\n\n\ndef get_config():\n"
        "    config = default_config()\n    config.method.encoder = {'name': 'tiny_conv', 'width': 16}\n    return config\n"
    )
    config = load_config(str(recipe), ["method.encoder.width=64"]).method.to_dict()
    method = methods.build(config.pop("name"), spec=page.spec, image={"size": 16}, **config)
    views = {"views": jnp.zeros((2, 2, 16, 16, 3))}
    params, _ = jax.eval_shape(method.init, jax.random.key(0), views)
    assert params["encoder"]["Conv_0"]["kernel"].shape == (3, 3, 3, 64)


@pytest.mark.slow
def test_a_new_modality_trains_on_any_devices_and_is_read(series):
    data = open_source("series:waves.npy?every=5")
    assert (len(data), len(open_source("series:waves.npy?every=5", "test"))) == (64, 16)
    method = methods.build("denoising_series", spec=data.spec, about=data.about)
    batch = {**stack(data, range(BATCH)), "index": np.arange(BATCH, dtype=np.int32)}
    losses, _, state = train(method, data.spec, batch, devices=1)
    split_losses, _, split_state = train(method, data.spec, batch, devices=8, fsdp=2)
    assert_same_run(split_losses, losses, split_state, state)
    assert losses[0] != losses[1]

    run, state, step = series.prepare(data)
    untrained = series.features(run, state, data)
    batch = {**stack(data, range(32)), "index": np.arange(32, dtype=np.int32)}
    batch = jax.device_put(batch, sharding.batch_sharding(run.mesh))
    for _ in range(2):  # the learning rate of the first is zero
        state, _ = step(state, batch)
    features = series.features(run, state, data)
    assert features.shape == untrained.shape == (64, 16) and np.all(np.any(features != untrained, 1))


@pytest.mark.slow
def test_a_new_modality_goes_through_the_commands(series):
    config = series.get_config()
    config.steps, config.run.log_every = 4, 2
    assert pretrain(config, "run", progress=False) == 0
    embed_run("run", data="series:waves.npy", split="test", out="features.npz")
    assert np.load("features.npz")["features"].shape == (8, 16)


def test_files_of_features_are_read_as_the_page_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    labels = np.arange(20, dtype=np.int32) % 2
    features = (rng.standard_normal((20, 5)) + 3 * labels[:, None]).astype(np.float32)
    names, classes = [f"{number}.png" for number in range(20)], ("cat", "dog")
    for ending in ("npz", "npy", "parquet"):
        with FeatureFile(f"features.{ending}") as file:
            file.write([{"features": features, "label": labels}], Examples(20, names, classes))
    page: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGES["docs/features.md"].read_text(), re.M | re.S):
        try:
            exec(block, page)
        except ModuleNotFoundError as error:  # what this environment happens to have is tried
            assert error.name in ("sklearn", "torch", "pandas")
    printed = capsys.readouterr().out
    assert "'0.png'" in printed
    if "classifier" in page:
        assert "['cat']" in printed
    if "batch" in page:
        np.testing.assert_array_equal(page["batch"].numpy(), features[:4])
    if "matrix" in page:
        np.testing.assert_array_equal(page["matrix"], features)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", PAGES[page].read_text()):
        assert link.startswith("https://") or exists((PAGES[page].parent / link).resolve().relative_to(ROOT)), link


@pytest.mark.parametrize("page", PAGES)
def test_recipes_and_files_that_are_named_exist(page):
    text = PAGES[page].read_text()
    for path in re.findall(r"(?<![\w/])(?:configs|jssl|tests|benchmarks|docs)/[\w./]*\.(?:py|md)\b", text):
        assert exists(path) or path == "jssl/data/series.py", path  # the page on modalities makes that one
    for name, variant in re.findall(r"(\w+\.py):([a-z]\w*(?:,\w+)*)", text):
        load_config(str(ROOT / "configs" / f"{name}:{variant}"), [])


def test_readme_names_every_method_and_source():
    readme = PAGES["README.md"].read_text()
    table = readme.split("| kind |")[1].split("\n\n")[0]
    assert sorted(re.findall(r"`(\w+)`", table)) == sorted(methods.REGISTRY)
    assert set(re.findall(r"^\| `(\w+)", readme, re.M)) == set(sources._KINDS)
