"""Configs that make no run are refused before anything is computed, in one line that names the key."""

import pytest

from jssl.config import default_config
from jssl.data import open_source
from jssl.data.card import Card
from jssl.train import setup


def make(**changes):
    config = default_config()
    config.method = {"name": "mae"}
    config.data.source, config.data.batch_size = "synthetic:num_examples=80,image_size=16", 16
    for key, value in changes.items():
        section, _, name = key.rpartition("__")
        setattr(config[section] if section else config, name, value)
    return config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0, "optimizer__warmup": 10}, "steps=0: give at least one step"),
        ({"run__log_every": 0}, "run.log_every=0: give at least one step"),
        ({"run__checkpoint_every": "0 epochs"}, "run.checkpoint_every=0 epochs: give at least one step"),
        ({"dtype": "fp16"}, "dtype='fp16'; there are float32, bfloat16"),
        ({"dtype": "bfloat"}, "dtype='bfloat'; did you mean 'bfloat16'"),
    ],
)
def test_what_makes_no_run(changes, message):
    config = make(**changes)
    with pytest.raises(ValueError, match=f"^{message}"):
        setup.build(config, Card.of(open_source(config.data.source)))


@pytest.mark.parametrize("name", ["seed", "global_batch"])
def test_feeds_take_no_option_that_the_config_has(name):
    config = make()
    config.data.options = {name: 1}
    with pytest.raises(
        ValueError, match=f"data.options.{name}: set --config.seed and --config.data.batch_size instead"
    ):
        setup.make_feed(config, open_source(config.data.source), None)


def test_the_log_says_what_the_schedules_say():
    config = make(steps=100)
    config.optimizer.update({"warmup": 10, "learning_rate": 0.5, "weight_decay": 0.1})
    at = setup.make_rates(config, teacher=False)
    assert {name: round(float(value), 6) for name, value in at(5).items()} == {
        "learning_rate": 0.25,
        "weight_decay": 0.1,
    }
    config.optimizer.weight_decay_end = 0.3
    rates = setup.make_rates(config, teacher=True)(50)
    assert float(rates["weight_decay"]) == pytest.approx(0.2) and float(rates["ema_momentum"]) == pytest.approx(0.998)
