"""Configs that make no run are refused before anything is computed, in one line that names the key."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec as P

from jssl.config import default_config
from jssl.data import open_source
from jssl.data.card import Card
from jssl.train import setup
from jssl.train.spikes import nothing_yet
from jssl.train.state import TrainState, make_views


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
        ({"run__on_nonfinite": "skp"}, "run.on_nonfinite='skp'; did you mean 'skip'"),
        ({"run__on_spike": "drop"}, "run.on_spike='drop'; there are take, skip"),
        ({"run__on_collapse": "halt"}, "run.on_collapse='halt'; there are warn, stop, ignore"),
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


def small_run():
    config = make(steps=100)
    config.method.update({"image": {"size": 16}, "encoder": {"name": "vit_tiny", "patch_size": 8}})
    return setup.build(config, Card.of(open_source(config.data.source)))


def test_batches_without_an_index_are_refused():
    run = small_run()
    images = np.zeros((2, 16, 16, 3), np.uint8)
    with pytest.raises(ValueError, match=r"mae: the batch has no index, only image; .* needs index, \(B,\) int32"):
        make_views(run.method, run.key, 0, {"image": images})
    with pytest.raises(ValueError, match="mae: the batch has no image, only index"):
        make_views(run.method, run.key, 0, {"index": np.arange(2)})


def test_a_loss_without_aux_is_refused():
    run = small_run()
    method = dataclasses.replace(run.method, loss=lambda *args, **options: (jnp.float32(0.0), {}))
    run = dataclasses.replace(run, method=method, tx=optax.identity())
    params = {"kernel": np.zeros(3, np.float32)}
    state = TrainState(np.int32(0), params, {}, (), {}, nothing_yet(), run.key)
    batch = {"image": np.zeros((8, 16, 16, 3), np.uint8), "index": np.arange(8, dtype=np.int32)}
    step = run.make_step(jax.tree.map(lambda _: P(), state))
    with pytest.raises(
        ValueError, match=r"mae: its loss must return \(loss, jssl.methods.Aux\(.*, not a tuple without"
    ):
        jax.eval_shape(step, state, batch)
