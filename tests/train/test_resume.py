"""Which run a checkpoint is of: what may change when a run goes on, and what makes it another one."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from jssl.config import default_config
from jssl.data import open_source
from jssl.data.card import Card
from jssl.train import setup
from jssl.train.checkpoints import Checkpointer
from jssl.train.resume import resume

CARD = Card.of(open_source("synthetic:num_examples=400,image_size=16"))


def make(**changes):
    """A config; changes by dotted name, with _ for the dots of its sections."""
    config = default_config()
    config.method = {
        "name": "dino",
        "image": {"size": 16},
        "crops": {"local_size": 8},
        "encoder": {"name": "vit", "width": 8, "depth": 1, "heads": 1, "patch_size": 8},
        "temperature": {"warmup": "10 %"},
    }
    config.steps, config.optimizer.warmup, config.data.batch_size = 500, "5 %", 40
    for name, value in changes.items():
        section, _, key = name.rpartition("__")
        target = config
        for part in section.split("__") if section else ():
            target = target[part]
        target[key] = value
    return config


@pytest.fixture
def checkpoints(tmp_path):
    """Of the run that ``make()`` describes, at step 200."""
    with Checkpointer(tmp_path / "checkpoints", every=1) as made:
        made.save(200, {"weight": jnp.arange(3.0)}, {"config": make().to_dict(), "data": CARD.to_json()})
        yield made


def go_on(checkpoints, config, card=CARD):
    return resume(checkpoints, {"weight": jnp.zeros(3)}, config, setup.build(config, card))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data__source": "folder:elsewhere", "data__feed": "grain", "data__options": {"num_workers": 2}},
        {"fsdp": 4, "run__eval_every": 7, "run__keep": 1, "run__online_bank": 9},
        {"steps": "50 epochs"},  # the same length in other words
        {"optimizer__warmup": 25, "method__temperature__warmup": 50},
    ],
)
def test_where_and_how_a_run_goes_on_does_not_matter(checkpoints, caplog, changes):
    np.testing.assert_array_equal(go_on(checkpoints, make(**changes))["weight"], np.arange(3.0))
    assert not caplog.text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"dtype": "float32"}, "dtype: bfloat16 -> float32"),
        ({"data__batch_size": 80}, "data.batch_size: 40 -> 80"),
        ({"optimizer__learning_rate": 0.5}, "optimizer.learning_rate: 0.03 -> 0.5"),
        ({"optimizer__warmup": "6 %"}, "optimizer.warmup: 5 % -> 6 %"),
        ({"ema__momentum": 0.9}, "ema.momentum: 0.996 -> 0.9"),
        ({"method__encoder__width": 16}, "method.encoder.width: 8 -> 16"),
    ],
)
def test_another_run_is_refused_and_the_difference_named(checkpoints, changes, told):
    with pytest.raises(ValueError, match=rf"another config \({told}\); use a new workdir"):
        go_on(checkpoints, make(**changes))


def test_other_data_are_refused(checkpoints):
    with pytest.raises(ValueError, match="was trained on other data"):
        go_on(checkpoints, make(), dataclasses.replace(CARD, fingerprint="f00d"))


def test_a_longer_run_says_what_follows_its_length(checkpoints, caplog):
    assert go_on(checkpoints, make(steps=1000)) is not None
    (line,) = caplog.messages
    start, _, told = line.partition("; this follows the length, from here on: ")
    assert start == "step 200, steps 500 -> 1000"
    names = ["ema_momentum", "learning_rate", "method.temperature.warmup", "optimizer.warmup"]
    assert [word.split()[0] for word in told.split(", ")] == names  # and not the weight decay, which is constant
    assert "learning_rate 0.02103 -> 0.02819" in told and "optimizer.warmup 25 -> 50" in told


def test_a_run_cannot_end_before_its_checkpoint(checkpoints):
    with pytest.raises(ValueError, match="is at step 200; steps=100 ends before: use more, or a new workdir"):
        go_on(checkpoints, make(steps=100))


def test_without_a_checkpoint_there_is_nothing_to_go_on_from(tmp_path):
    with Checkpointer(tmp_path / "checkpoints", every=1) as checkpoints:
        assert go_on(checkpoints, make()) is None
