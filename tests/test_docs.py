"""The pages in docs/ and README: their Python runs, what it builds trains on any devices, and what they name is there."""

import pathlib
import re
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from harness import RULES, arrays, assert_same_run
from rows import LIGHT

from jssl import methods, sharding
from jssl.config import load_config
from jssl.methods import encoders, registry
from jssl.train import optimizers
from jssl.train.checkpoints import Checkpointer
from jssl.train.checkpoints.record import named_leaves
from jssl.train.setup import abstract
from jssl.train.state import init_state
from jssl.train.step import make_train_step

ROOT = pathlib.Path(__file__).parents[1]
PAGES = {str(path.relative_to(ROOT)): path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
BATCH = 16


@pytest.fixture
def run_page(monkeypatch):
    """run_page("docs/<name>.md"): its Python blocks as one module. What they register is forgotten after the test."""
    monkeypatch.setattr(registry, "REGISTRY", dict(registry.REGISTRY))
    monkeypatch.setattr(encoders, "ENCODERS", {field: dict(known) for field, known in encoders.ENCODERS.items()})

    def run(name):
        module = types.ModuleType(pathlib.Path(name).stem)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        text = PAGES[name].read_text()
        for block in re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S):
            lines = text[: block.start(1)].count("\n")
            exec(
                compile("\n" * lines + block[1], PAGES[name], "exec"), module.__dict__
            )  # a traceback names the page's line
        return module

    return run


def train(method, spec, batch, *, devices, fsdp=1, name="sgd"):
    """(losses of two steps, state, specs): every device holds its part of the batch, and of the state if fsdp > 1."""
    mesh = sharding.make_mesh(jax.devices()[:devices], fsdp=fsdp)
    tx = optimizers.build(name, learning_rate=0.01, weight_decay=0.1, exclude="bias")
    state, specs = init_state(method, tx, jax.random.key(0), spec, mesh, RULES)
    step = make_train_step(method, tx, mesh, specs)
    batch = jax.device_put(batch, sharding.batch_sharding(mesh))
    losses = []
    for _ in range(2):
        state, metrics = step(state, batch)
        losses.append(float(metrics["loss"]))
    return losses, state, specs


@pytest.mark.parametrize("kind", ["linen", "named", "nnx", "equinox"])
def test_a_backbone_of_ones_own_trains_on_any_devices(run_page, kind, tmp_path):
    page = run_page("docs/own_backbone.md")
    options = {"image": {"size": 16, "augment": LIGHT}, "projector": (16, 8)}
    method = methods.build("simclr", spec=page.spec, encoder=getattr(page, f"{kind}_encoder"), **options)
    pictures = np.random.default_rng(0).integers(0, 255, (BATCH, 8, 8, 3), dtype=np.uint8).repeat(4, 1).repeat(4, 2)
    batch = {"image": pictures, "index": np.arange(BATCH, dtype=np.int32)}

    losses, state, _ = train(method, page.spec, batch, devices=1)
    split_losses, split_state, specs = train(method, page.spec, batch, devices=8, fsdp=2)
    assert_same_run(split_losses, losses, split_state, state)
    assert losses[0] != losses[1]
    assert any("fsdp" in spec for spec in jax.tree.leaves(specs.params["encoder"])), "nothing of the encoder was split"

    # Its parameters learn, by names that checkpoints and optimisers find; what is no parameter comes back as well.
    first, _ = init_state(
        method, optimizers.build("sgd", learning_rate=0.0), jax.random.key(0), page.spec, *one_device()
    )
    moved = [
        name
        for name, leaf in arrays(first.params["encoder"]).items()
        if np.any(leaf != arrays(state.params["encoder"])[name])
    ]
    assert len(moved) == len(jax.tree.leaves(first.params["encoder"]))


def one_device():
    return (sharding.make_mesh(jax.devices()[:1]),)
