"""The invariants of the step, for every registered method."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from harness import Tiny, arrays, assert_same_run, batch_shape, build, make_step
from rows import CORE, FAST, ROWS, method_of

from jssl import methods
from jssl.train.checkpoints import Checkpointer
from jssl.train.setup import abstract
from jssl.train.state import make_views


def marks(name):
    """Grouped, so that with several workers (--dist loadgroup) each method is compiled by one of them only."""
    return [pytest.mark.xdist_group(name), *([] if name in FAST else [pytest.mark.slow])]


METHODS = [pytest.param(name, marks=marks(name)) for name in sorted(ROWS)]


def test_every_method_has_a_row():
    assert {method_of(row) for row in ROWS} == set(methods.REGISTRY)


@pytest.mark.parametrize("dtype", [jnp.float32, pytest.param(jnp.bfloat16, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in FAST else pytest.mark.slow) for n in sorted(ROWS)])
def test_loss_is_traced_as_a_float32_scalar(name, dtype):
    """Whatever a method computes in; nothing is compiled."""
    method = build(name, dtype=dtype)

    def gradient(key, batch):
        views, keys = make_views(method, key, 0, batch)
        params, extra = method.init(key, views)
        teacher = method.teacher(params) if method.teacher else {}
        loss = lambda params: method.loss(params, teacher, extra, views, keys, step=0, axis_name=None)  # noqa: E731
        (value, aux), grads = jax.value_and_grad(loss, has_aux=True)(params)
        updates = jax.tree.map(lambda x: x[None], aux.updates)  # one micro-batch
        return value, aux.embedding, method.update_extra(extra, updates), extra, grads, params

    with jax.numpy_dtype_promotion("standard"):  # the gradient of jax.nn.dot_product_attention needs it
        traced = jax.eval_shape(gradient, jax.random.key(0), batch_shape(name))
    value, embedding, new_extra, extra, grads, params = traced
    assert (value.shape, value.dtype) == ((), jnp.float32) and embedding.shape[0] == 2
    assert jax.tree.map(lambda x: (x.shape, x.dtype), (new_extra, grads)) == jax.tree.map(
        lambda x: (x.shape, x.dtype), (extra, params)
    )
    floats = [x for x in jax.tree.leaves((extra, params)) if jnp.issubdtype(x.dtype, jnp.floating)]
    assert floats and all(x.dtype == jnp.float32 for x in floats)


def assert_same_on(name, **layout):
    """Twenty steps on one device and on others end alike: losses, statistics, queues, centres, weights and all."""
    one, many = Tiny(name), Tiny(name, **layout)
    losses = one.run(20)
    assert losses[-1] != losses[0]
    assert_same_run(many.run(20), losses, many.state, one.state)


@pytest.mark.parametrize("name", METHODS)
def test_same_run_on_any_devices(name):
    assert_same_on(name, devices=8, fsdp=4)


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in CORE])
def test_same_run_where_nothing_is_split(name):
    assert_same_on(name, devices=2, fsdp=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["causal_lm-rotary", "dino", "vicreg"]
)  # vocabulary, prototypes, heads; scanned or not
def test_same_run_with_wide_layers_split(name):
    assert_same_on(name, devices=8, fsdp=2, tensor=2)


@pytest.mark.parametrize("name", METHODS)
def test_state_is_sharded_and_stays_so(name):
    run = Tiny(name, devices=8, fsdp=4)
    before = jax.tree.map(lambda x: x.sharding, run.state)
    assert any("fsdp" in str(leaf.sharding.spec) for leaf in jax.tree.leaves(run.state.params))
    run.run(1)
    assert jax.tree.leaves(before) == jax.tree.leaves(jax.tree.map(lambda x: x.sharding, run.state))


@pytest.mark.parametrize("name", METHODS)
def test_one_trace_and_resume_is_exact(name, tmp_path):
    chex.clear_trace_counter()  # it counts by the name of the function, which methods share
    straight = Tiny(name)
    counted = dataclasses.replace(straight.method, loss=chex.assert_max_traces(straight.method.loss, n=1))
    straight.step = make_step(counted, straight.mesh, straight.specs)
    with Checkpointer(tmp_path, every=3) as checkpoints:
        straight.run(3)
        checkpoints.save(3, straight.state, {})
        straight.run(3)  # the saved buffers are donated while the save is under way
    resumed = Tiny(name)
    with Checkpointer(tmp_path, every=3) as checkpoints:
        resumed.state, _, _ = checkpoints.restore(abstract(resumed.state))
    resumed.run(3)
    chex.assert_trees_all_equal(arrays(resumed.state), arrays(straight.state))


@pytest.mark.parametrize("name", METHODS)
def test_no_gradient_reaches_the_teacher(name):
    run = Tiny(name)
    if run.method.teacher is None:
        assert run.state.teacher == {}
        return
    views, keys = run.views()

    def loss(teacher):
        return run.method.loss(run.state.params, teacher, run.state.extra, views, keys, step=0, axis_name=None)[0]

    assert not any(np.any(g) for g in jax.tree.leaves(jax.jit(jax.grad(loss))(run.state.teacher)))


@pytest.mark.parametrize("name", METHODS)
def test_teacher_follows_the_student(name):
    run = Tiny(name)
    if run.method.teacher is None:
        return
    old = arrays(run.state.teacher)
    run.run(1)
    new, student = arrays(run.state.teacher), arrays(run.method.teacher(run.state.params))
    for path in old:
        np.testing.assert_allclose(new[path], 0.9 * old[path] + 0.1 * student[path], atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_a_bad_batch_reaches_nothing(name):
    run = Tiny(name)
    run.run(1)
    poisoned = jax.tree.map(lambda x: x * jnp.nan, run.state.params)
    run.state = run.state.replace(params=poisoned)
    before = arrays((run.state.teacher, run.state.extra, run.state.opt_state))
    (loss,) = run.run(1)
    assert np.isnan(loss)
    chex.assert_trees_all_equal(arrays((run.state.teacher, run.state.extra, run.state.opt_state)), before)
    assert int(run.state.step) == 2


@pytest.mark.parametrize("name", METHODS)
def test_accumulation_is_exact_or_refused(name):
    run = Tiny(name)
    if run.method.coupled or run.state.extra["batch_stats"]:
        with pytest.raises(ValueError, match="accumulate=2"):
            Tiny(name, accumulate=2)
        return
    whole, parts = Tiny(name, devices=8, fsdp=4), Tiny(name, devices=8, fsdp=4, accumulate=2)
    np.testing.assert_allclose(parts.run(4), whole.run(4), rtol=1e-5)
    for path, value in arrays(whole.state).items():
        rtol = (
            1e-5 if path.startswith(".recent") else 1e-7
        )  # losses and norms of gradients, whose size is not that of a weight
        np.testing.assert_allclose(arrays(parts.state)[path], value, rtol=rtol, atol=2e-5, err_msg=path)


@pytest.mark.slow
@pytest.mark.xdist_group("moco-vit")
@pytest.mark.parametrize("options", [{"accumulate": 4}, {"devices": 8, "fsdp": 4}, {"devices": 8, "accumulate": 2}])
def test_queue_takes_every_key_once_in_the_order_of_the_batch(options):
    whole, parts = Tiny("moco-vit"), Tiny("moco-vit", **options)  # two keys per example: 32 of the 64 rows per update
    np.testing.assert_allclose(parts.run(5), whole.run(5), rtol=1e-5)
    assert int(parts.state.extra["pointer"]) == int(whole.state.extra["pointer"]) == 32
    np.testing.assert_allclose(parts.state.extra["queue"], whole.state.extra["queue"], atol=1e-5)


@pytest.mark.slow
def test_swav_queue_starts_late_and_is_used_once_it_is_full():
    run = Tiny("swav")  # two queues of 32, filled by 16 from step 2 on
    run.run(2)
    assert not np.any(run.state.extra["queue"]) and int(run.state.extra["pointer"]) == 0
    run.run(1)
    assert np.any(run.state.extra["queue"][:, :16]) and not np.any(run.state.extra["queue"][:, 16:])
    run.run(1)
    views, keys = run.views(4)

    @jax.jit
    def loss(extra):
        return run.method.loss(run.state.params, {}, extra, views, keys, step=4, axis_name=None)[0]

    extra = run.state.extra
    half = {**extra, "queue": extra["queue"].at[:, -1].set(0.0)}
    assert float(loss(extra)) != float(loss(half)) == float(loss({**extra, "queue": jnp.zeros_like(extra["queue"])}))


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in CORE])
def test_bfloat16_steps_are_finite(name):
    run = Tiny(name, dtype=jnp.bfloat16)
    with jax.numpy_dtype_promotion("standard"):  # the gradient of jax.nn.dot_product_attention needs it
        assert np.all(np.isfinite(run.run(2)))
    floats = [x for x in jax.tree.leaves(run.state) if jnp.issubdtype(x.dtype, jnp.floating)]
    assert floats and all(x.dtype == jnp.float32 for x in floats)


@pytest.mark.parametrize("name", METHODS)
def test_every_readout_of_student_and_teacher(name):
    run = Tiny(name)
    run.run(1)
    batch = run.feed.batch(0)
    for readout in run.method.readouts.values():
        inputs = jax.vmap(readout.prepare)({key: value for key, value in batch.items() if key != "index"})
        shapes = set()
        for teacher in (False, True) if run.method.teacher else (False,):
            features = readout.apply(*methods.weights(run.state, teacher=teacher), inputs)
            assert np.all(np.isfinite(features.pooled))
            shapes.add(features.pooled.shape)
        assert len(shapes) == 1 and shapes.pop()[0] == len(batch["index"])
