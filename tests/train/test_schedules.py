"""Schedules against the tables of the authors' code, and what every schedule promises."""

import golden
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jssl.train import schedules

TABLE_RTOL = golden.load("byol", "e00").tolerance["table_rtol"]


def table(schedule, steps):
    return np.array([float(schedule(step)) for step in range(steps)])


def assert_table(schedule, reference):
    np.testing.assert_allclose(table(schedule, len(reference)), reference, rtol=TABLE_RTOL, atol=1e-12)


def inclusive(h, warmup_steps, total_steps, freeze_steps=0):
    """The warm-up of DINO and DINOv2, whose last step has the peak already, from our parts."""
    warmup = schedules.linear(h["start_warmup_value"], h["base_value"], warmup_steps - 1)
    start = freeze_steps + warmup_steps
    decay = schedules.cosine(h["base_value"], h["final_value"], total_steps - start)
    return optax.join_schedules([schedules.constant(0.0), warmup, decay], [freeze_steps, start])


def dino(h):
    n = h["niter_per_ep"]
    return inclusive(h, h["warmup_epochs"] * n, h["epochs"] * n)


def dinov2(h):
    return inclusive(h, h["warmup_iters"], h["total_iters"], h["freeze_iters"])


def epochs(h):
    n = h["iters_per_epoch"]
    return schedules.warmup_cosine(h["lr"], h["warmup_epochs"] * n, h["epochs"] * n, end=h.get("min_lr", 0.0))


def from_one(schedule):
    """I-JEPA counts its steps from one."""
    return lambda step: schedule(step + 1)


def ijepa_lr(h):
    return from_one(schedules.warmup_cosine(h["ref_lr"], h["warmup_steps"], h["T_max"], h["start_lr"], h["final_lr"]))


BUILDERS = {
    "dino_0": dino,
    "dino_1": lambda h: schedules.cosine(h["base_value"], h["final_value"], h["epochs"] * h["niter_per_ep"]),
    "dino_2": dino,
    "mae_lr_0": epochs,
    "mocov3_lr_0": epochs,
    "mocov3_momentum_0": lambda h: schedules.cosine(h["moco_m"], 1.0, h["epochs"] * h["iters_per_epoch"]),
    "ijepa_lr_0": ijepa_lr,
    "ijepa_wd_0": lambda h: from_one(schedules.cosine(h["ref_wd"], h["final_wd"], h["T_max"])),
    "ijepa_ema_0": lambda h: schedules.linear(*h["ema"], h["ipe_times_epochs"]),
    "dinov2_0": dinov2,
}


@pytest.mark.golden
@pytest.mark.parametrize("name", BUILDERS)
def test_matches_the_authors_table(name):
    case = golden.load("schedules", name)
    assert_table(BUILDERS[name](case.hyper), case.out["values"])


def test_every_golden_schedule_is_covered():
    elsewhere = {"layer_decay_0", "layer_decay_1"}  # test_groups
    of_the_models = {"drop_path_0", "drop_path_1"}
    assert set(BUILDERS) | elsewhere | of_the_models == set(golden.cases("schedules"))


@pytest.mark.golden
def test_byol_momentum_learning_rate_and_update():
    case = golden.load("byol", "e00")
    h = case.hyper
    momentum = schedules.cosine(h["base_ema"], 1.0, h["max_steps"])
    assert_table(momentum, case.out["tau"])
    peak = h["base_learning_rate"] * h["batch_size"] / 256
    assert_table(schedules.warmup_cosine(peak, h["warmup_steps"], h["max_steps"]), case.out["lr"])
    target = optax.incremental_update(
        jnp.asarray(case.inputs["online"]), jnp.asarray(case.inputs["target"]), 1.0 - momentum(3)
    )
    np.testing.assert_allclose(target, case.out["target_after_step3"], rtol=TABLE_RTOL, atol=1e-6)


@pytest.mark.golden
@pytest.mark.parametrize("name", golden.cases("dino"))
def test_dino_teacher_temperature(name):
    case = golden.load("dino", name)
    h = case.hyper
    by_epoch = schedules.linear(h["warmup_teacher_temp"], h["teacher_temp"], h["warmup_teacher_temp_epochs"] - 1)
    assert_table(by_epoch, case.out["teacher_temp_schedule"])


EVERY = {
    "constant": schedules.constant(0.3),
    "linear": schedules.linear(0.1, 0.9, 20),
    "cosine": schedules.cosine(0.1, 0.9, 20),
    "warmup_cosine": schedules.warmup_cosine(1.0, 5, 20, end=0.1),
    "no_warmup": schedules.warmup_cosine(1.0, 0, 20),
    "one_step_warmup": schedules.warmup_cosine(1.0, 1, 20),
    "all_warmup": schedules.warmup_cosine(1.0, 20, 20),
}


@pytest.mark.parametrize("name", EVERY)
def test_traced_and_eager_steps_agree_in_float32(name):
    schedule = EVERY[name]
    traced = jax.jit(schedule)
    for step in (0, 1, 4, 5, 19, 20, 1000):
        eager, compiled = schedule(step), traced(jnp.int32(step))
        assert eager.shape == compiled.shape == () and eager.dtype == compiled.dtype == jnp.float32
        np.testing.assert_allclose(compiled, eager, rtol=1e-6, atol=1e-9)
        assert np.isfinite(eager)


@pytest.mark.parametrize("name", EVERY)
def test_holds_its_last_value(name):
    assert float(EVERY[name](10**6)) == float(EVERY[name](21))


def test_values_at_the_joints():
    assert float(EVERY["warmup_cosine"](0)) == 0.0
    assert float(EVERY["warmup_cosine"](5)) == 1.0
    np.testing.assert_allclose(EVERY["warmup_cosine"](20), 0.1, rtol=1e-6)
    assert float(EVERY["no_warmup"](0)) == 1.0
    assert [float(EVERY["one_step_warmup"](step)) for step in (0, 1)] == [0.0, 1.0]
    assert [float(EVERY["all_warmup"](step)) for step in (0, 10, 20)] == [0.0, 0.5, 0.0]


def test_equals_optax_where_optax_has_it():
    ours = table(schedules.warmup_cosine(0.7, 10, 100, 0.1, 0.01), 110)
    theirs = table(optax.warmup_cosine_decay_schedule(0.1, 0.7, 10, 100, 0.01), 110)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_keeps_its_digits_near_the_end():
    """The last learning rate before zero: the form with 1 + cos has 3 of 7 digits left."""
    steps = 100_000
    exact = np.sin(0.5 * np.pi / steps) ** 2
    np.testing.assert_allclose(schedules.cosine(1.0, 0.0, steps)(steps - 1), exact, rtol=1e-5)


def test_refuses_a_warmup_longer_than_the_run():
    with pytest.raises(ValueError, match="the warm-up takes 12 of 10 steps; shorten it"):
        schedules.warmup_cosine(1.0, 12, 10)
