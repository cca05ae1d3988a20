"""The log: no step is missing from a mean, the first bad step is told, pauses cost no throughput."""

import json
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jssl.train import log as log_module
from jssl.train.log import Log, NonFiniteLoss, check_skipped, nonfinite_loss


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved."""
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(log_module, "time", types.SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


def row(loss, grad_norm=1.0):
    return {"loss": jnp.float32(loss), "grad_norm": jnp.float32(grad_norm)}


def filled(losses, first=0):
    log = Log(batch_size=2)
    for step, loss in enumerate(losses, first):
        log.add(step, row(loss), jnp.array([step, step + 100]))
    return log


def test_a_checkpoint_between_two_lines_drops_no_step():
    log, log_every, checkpoint_at, lines = Log(batch_size=2), 3, 2, []
    for step, loss in enumerate([9.0, 5.0, 1.0, 2.0, 4.0, 0.0]):
        log.add(step, row(loss, grad_norm=10 * loss), jnp.arange(2))
        if (step + 1) % checkpoint_at == 0:
            assert log.nonfinite() is None
        if (step + 1) % log_every == 0:
            lines.append(log.means())
    assert [line["loss"] for line in lines] == [5.0, 2.0]
    assert [line["grad_norm"] for line in lines] == [50.0, 20.0]


def test_a_line_begins_anew_and_an_empty_one_says_nothing():
    log = filled([1.0, 3.0])
    assert log.means()["loss"] == 2.0
    assert log.means() == {}
    log.add(2, row(7.0), jnp.arange(2))
    assert log.means()["loss"] == 7.0


def test_skipped_updates_count_in_no_mean_but_their_own():
    log = filled([])
    for step, (loss, skipped) in enumerate([(1.0, 0.0), (np.nan, 1.0), (3.0, 0.0), (np.inf, 1.0)]):
        log.add(step, row(loss) | {"skipped": jnp.float32(skipped)}, jnp.arange(2))
    line = log.means()
    assert (line["loss"], line["skipped"]) == (2.0, 0.5)


def test_skipped_updates_are_told_and_too_many_end_the_run(caplog):
    log, lines = filled([]), []
    for step in range(60):
        log.add(step, row(1.0) | {"skipped": jnp.float32(step >= 5)}, jnp.arange(2))
        if step % 5 == 4:
            lines.append((step, log.means()))
            if step < 10:
                check_skipped(log, lines[-1][1], step)
    assert [r.getMessage() for r in caplog.records] == [
        "step 9: 5 of the latest 10 updates were skipped: their loss or gradient was not finite, or a spike"
    ]
    with pytest.raises(
        NonFiniteLoss, match="step 59: 55 of the latest 60 updates were skipped, the run learns nothing"
    ):
        check_skipped(log, lines[-1][1], 59)


def test_means_do_not_lose_digits():
    """In float32, twenty steps are enough to lose the last digits of a sum."""
    log = filled([])
    for step in range(20):
        log.add(step, {"loss": np.float32(16_777_216 if step == 0 else 1)}, jnp.arange(2))
    assert log.means()["loss"] == (16_777_216 + 19) / 20


def test_each_step_is_fetched_once_and_adding_fetches_nothing(monkeypatch):
    fetched = []
    device_get = jax.device_get
    monkeypatch.setattr(jax, "device_get", lambda tree: fetched.append(len(tree)) or device_get(tree))
    log = filled([1.0, 2.0])
    assert fetched == []
    log.fetch()
    log.add(2, row(6.0), jnp.arange(2))
    log.nonfinite()
    assert log.means()["loss"] == 3.0
    assert [n for n in fetched if n] == [2, 1]


def test_adding_waits_for_no_transfer():
    metrics, index = row(1.0), jnp.arange(2)
    with jax.transfer_guard("disallow"):
        Log(batch_size=2).add(0, metrics, index)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["loss", "grad_norm"])
def test_the_first_step_that_is_not_finite_is_told(name, bad):
    log = filled([1.0, 2.0], first=7)
    assert log.nonfinite() is None
    for step in (9, 10):
        log.add(step, {**row(1.0), name: jnp.float32(bad)}, jnp.array([step, step + 100]))
    found = log.nonfinite()
    assert found.step == 9 and found.index.tolist() == [9, 109]
    np.testing.assert_equal(float(found.metrics[name]), bad)
    assert not np.isfinite(log.means()[name])  # who goes on sees it in the line
    assert log.nonfinite() is None


def test_other_metrics_may_be_what_they_are():
    log = Log(batch_size=2)
    log.add(0, {**row(1.0), "ratio": jnp.float32(jnp.nan)}, jnp.arange(2))
    assert log.nonfinite() is None


def test_examples_per_second_leave_out_the_pauses(clock):
    log = Log(batch_size=8)
    for step in range(4):
        log.add(step, row(1.0), jnp.arange(8))
        clock.now += 0.5
        if step == 1:
            with pytest.raises(KeyError), log.paused():
                clock.now += 60.0
                raise KeyError
            log.nonfinite()  # a checkpoint: neither the clock nor the count begins anew
    assert log.means()["examples_per_second"] == 16.0
    log.add(4, row(1.0), jnp.arange(8))
    clock.now += 2.0
    assert log.means()["examples_per_second"] == 4.0


@pytest.mark.parametrize("more", [3, 0])
def test_the_compilation_does_not_count(clock, more):
    log = Log(batch_size=2)
    log.add(0, row(1.0), jnp.arange(2))
    clock.now += 10.0
    log.begin()
    assert log.so_far() == {"loss": 1.0, "grad_norm": 1.0}  # and takes nothing away
    for step in range(more):
        log.add(1 + step, row(2.0), jnp.arange(2))
        clock.now += 0.5
    line = log.means()
    assert line.get("examples_per_second") == (4.0 if more else None)
    assert line["loss"] == (1 + 2 * more) / (1 + more)
    log.add(9, row(1.0), jnp.arange(2))
    clock.now += 1.0
    assert log.means()["examples_per_second"] == 2.0


def test_steps_under_way_do_not_run_in_a_pause(clock, monkeypatch):
    """Whatever the device still has to do is waited for on the time that counts."""
    log = filled([1.0, 1.0])
    device_get = jax.device_get

    def slow(tree):
        clock.now += float(len(tree))
        return device_get(tree)

    monkeypatch.setattr(jax, "device_get", slow)
    with log.paused():
        clock.now += 60.0
    assert log.means()["examples_per_second"] == 2.0  # four examples in the two seconds of the transfer


def test_the_report_names_step_examples_and_checkpoint(tmp_path):
    mesh = Mesh(np.array(jax.devices()), ("data",), axis_types=(AxisType.Auto,))
    index = jax.device_put(jnp.arange(16), NamedSharding(mesh, P("data")))
    log = Log(batch_size=16)
    log.add(3, row(np.nan, grad_norm=np.inf), index)
    error = nonfinite_loss(log.nonfinite(), tmp_path, last_good=2)
    file = tmp_path / "nonfinite.json"
    assert isinstance(error, NonFiniteLoss)
    assert str(error) == (
        f"loss nan with gradient norm inf at step 3: the last good checkpoint is step 2; its examples are in {file}; "
        "lower the learning rate or set --config.run.on_nonfinite=skip"
    )
    assert json.loads(file.read_text()) == {"step": 3, "loss": "nan", "grad_norm": "inf", "index": list(range(16))}
    assert "there is no checkpoint yet" in str(nonfinite_loss(log.nonfinite(), tmp_path, last_good=None))
