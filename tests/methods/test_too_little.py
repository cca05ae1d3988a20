"""Batches and pictures that a loss can say nothing of are refused, with the reason; the smallest that it can are taken."""

import jax
import pytest
from rows import ROWS

from jssl import methods
from jssl.config import default_config
from jssl.data import open_source
from jssl.data.card import Card
from jssl.sharding import make_mesh
from jssl.train import setup
from jssl.train.state import abstract_state

COMPARING = (
    "align_uniform",
    "barlow_twins",
    "clip",
    "lejepa",
    "moco_v3",
    "siglip",
    "simclr",
    "spectral",
    "sup_con",
    "swav",
    "vicreg",
)
MASKING = ("data2vec", "dinov2", "ibot", "ijepa", "mae")
CARD = Card.of(open_source("synthetic:num_examples=80,image_size=16,captions=2,caption_length=32"))


def build(name, batch_size):
    config = default_config()
    config.method = {"name": name, **ROWS[name]}
    config.data.batch_size, config.optimizer.warmup = batch_size, 0
    return setup.build(config, CARD, mesh=make_mesh(jax.devices()[:1]))


def test_the_methods_that_compare_examples_are_known():
    named = [name for name, entry in methods.REGISTRY.items() if not set(entry.fields) - set(CARD.spec)]
    found = [n for n in named if methods.build(n, spec=CARD.spec, about=CARD.about, **ROWS[n]).fewest == 2]
    assert sorted(found) == sorted(COMPARING)


@pytest.mark.parametrize("name", ["simclr", "swav", "clip"])
def test_one_example_a_batch_has_nothing_to_be_compared_with(name):
    with pytest.raises(
        ValueError, match=rf"^{name}: its loss \(.+\) needs at least 2 examples a batch; raise data.batch"
    ):
        build(name, 1)
    build(name, 2)


def test_one_example_a_batch_has_no_batch_statistics():
    run = build("byol", 1)
    specs = abstract_state(run.method, run.tx, run.key, CARD.spec, run.mesh)
    with pytest.raises(ValueError, match="^byol: batch norm needs at least 2 examples a batch"):
        run.make_step(specs)


@pytest.mark.parametrize("name", MASKING)
def test_a_picture_that_is_one_patch_has_nothing_to_be_predicted_from(name):
    options = {**ROWS[name], "image": {**ROWS[name].get("image", {}), "size": 4}}
    with pytest.raises(ValueError, match=f"^{name}: method.image.size=4 is one patch of 4.+ use at least 8"):
        methods.build(name, spec=CARD.spec, about=CARD.about, **options)
