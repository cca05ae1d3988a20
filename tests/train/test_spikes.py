"""Loss spikes: an update far above the latest ones reaches nothing, and a new level is accepted in the end."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from harness import arrays
from runs import write_recipe

from jssl.config import load_config
from jssl.data import open_source
from jssl.data.card import Card
from jssl.sharding import make_mesh
from jssl.train import setup, spikes


def window(number, loss=1.0, grad_norm=2.0):
    """As many updates, alternating by 0.1 round a level: a deviation of 0.1."""
    waves = [
        jnp.zeros(spikes.WINDOW).at[:number].set(level + 0.1 * (-1.0) ** np.arange(number))
        for level in (loss, grad_norm)
    ]
    return spikes.Recent(*waves, jnp.int32(number), jnp.int32(0))


@pytest.mark.parametrize(
    ("number", "loss", "grad_norm", "spike"),
    [
        (64, 1.61, 2.61, True),
        (64, 1.59, 2.61, False),  # six deviations are asked of both
        (64, 1.61, 2.59, False),
        (64, 0.0, 0.0, False),  # far below is no harm
        (63, 9.0, 9.0, False),  # half of the window must be there
        (128, 1.61, 2.61, True),
        (64, jnp.nan, jnp.nan, False),  # which has its own answer
        (64, jnp.inf, jnp.inf, False),
    ],
)
def test_what_a_spike_is(number, loss, grad_norm, spike):
    assert bool(spikes.is_spike(window(number), jnp.float32(loss), jnp.float32(grad_norm))) == spike


def test_the_window_forgets_and_holds_only_what_was_taken():
    high = window(spikes.WINDOW, loss=50.0, grad_norm=50.0)
    note = jax.jit(functools.partial(spikes.note, taken=True, spike=False))
    recent = high
    for n in range(spikes.WINDOW):
        recent = note(recent, 1.0 + 0.1 * (n % 2), 2.0 + 0.1 * (n % 2))
    nine = jnp.float32(9.0), jnp.float32(9.0)
    assert bool(spikes.is_spike(recent, *nine)) and not bool(spikes.is_spike(high, *nine))
    after = spikes.note(recent, 9.0, 9.0, taken=False, spike=True)
    np.testing.assert_array_equal(after.loss, recent.loss)
    assert (int(after.count), int(after.repeats)) == (int(recent.count), 1)


@pytest.mark.slow
def test_a_spike_reaches_no_weight_teacher_or_queue_and_a_new_level_is_taken_in_the_end(tmp_path):
    config = load_config(write_recipe(tmp_path, "moco", 100), ["run.on_spike=skip"])
    source = open_source(config.data.source)
    run = setup.build(config, Card.of(source), mesh=make_mesh(jax.devices()[:1]))
    state, specs = run.init_state()
    step, feed = run.make_step(specs), setup.make_feed(config, source, run.mesh)
    low = window(64, loss=-100.0, grad_norm=-100.0)  # beside which every update of this run is a spike
    state = state.replace(recent=low)
    carried = ("params", "teacher", "opt_state", "extra")
    before = arrays([getattr(state, name) for name in carried])
    skipped = []
    for number in range(spikes.REPEATS + 2):
        state, metrics = step(state, feed.batch(number))
        skipped.append(float(metrics["skipped"]))
        if number == spikes.REPEATS - 1:
            chex.assert_trees_all_equal(arrays([getattr(state, name) for name in carried]), before)
            assert int(state.step) == spikes.REPEATS
    assert skipped == [1.0] * spikes.REPEATS + [0.0, 0.0]
    assert int(state.recent.count) == 66
    after = arrays([getattr(state, name) for name in carried])
    assert sum(not np.array_equal(after[path], before[path]) for path in before) > len(before) / 2
