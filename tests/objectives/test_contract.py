"""What every objective promises, checked over `objective_table.TABLE`."""

import functools
import subprocess
import sys

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import on_devices
import pytest
from jax.sharding import AxisType
from objective_table import TABLE

from jssl import objectives

BATCH = 8


def one_worker(name, *marks):
    """The row of an objective, of which one worker (--dist loadgroup) runs all tests: a loss is compiled once, not by each."""
    return pytest.param(TABLE[name], id=name, marks=[pytest.mark.xdist_group(name), *marks])


every_objective = pytest.mark.parametrize("row", [one_worker(name) for name in TABLE])


def arrays_of(row, batch=BATCH):
    return row.make(np.random.default_rng(0), batch)


def take(row, arrays, examples):
    """The same arrays with these examples of the batch only."""
    return [x if axis is None else np.take(x, examples, axis) for x, axis in zip(arrays, row.batch_axes)]


def close(x, reference, relative=1e-5):
    """Equal up to float32 rounding, on the scale of the largest entry."""
    x, reference = np.asarray(x, np.float64), np.asarray(reference, np.float64)
    assert x.shape == reference.shape
    assert np.max(np.abs(x - reference)) <= 1e-7 + relative * np.max(np.abs(reference))


@pytest.mark.parametrize("devices", [*(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 4)), 8])
@every_objective
def test_same_loss_and_gradient_on_any_devices(row, devices):
    arrays = arrays_of(row)
    loss, grads = row.value_and_grads(*arrays)
    mapped_loss, mapped_grads = on_devices.value_and_grad(
        row.function, devices, arrays, row.batch_axes, row.differentiable
    )
    assert np.isfinite(loss)
    close(mapped_loss, loss)
    for argument, grad in zip(row.differentiable, mapped_grads):
        assert np.any(grads[argument])
        close(grad, grads[argument])


@pytest.mark.slow
@every_objective
def test_same_loss_without_jit(row):
    arrays = arrays_of(row)
    close(row.function(*arrays), row.value_and_grads(*arrays)[0])


def slow_but(*quick):
    """All objectives, of which only the named ones are fast tests."""
    return [one_worker(name, *([] if name in quick else [pytest.mark.slow])) for name in TABLE]


@every_objective
def test_arrays_of_an_explicit_mesh_are_taken(row):
    """On jax.make_mesh's default JAX refuses, while tracing, whatever has no layout that follows from its operands'."""
    arrays = [jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s) for x, s in laid_out(row, AxisType.Explicit)]
    loss, grads = jax.eval_shape(row.value_and_grads, *arrays)
    assert loss.shape == ()
    assert all(grad is None or grad.shape == x.shape for grad, x in zip(grads, arrays))


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("row", slow_but("nt_xent blocks", "barlow_twins_loss"))
def test_same_loss_and_gradient_for_sharded_arrays_under_plain_jit(row, kind):
    sharded = row.value_and_grads(*[jax.device_put(x, sharding) for x, sharding in laid_out(row, kind)])
    jax.tree.map(close, sharded, row.value_and_grads(*arrays_of(row)))


def laid_out(row, kind):
    """The arrays of a row, each with its layout on eight devices."""
    mesh, axis_name = on_devices.mesh_of(8, kind)
    shardings = [jax.NamedSharding(mesh, spec) for spec in on_devices.specs_of(row.batch_axes, axis_name)]
    return list(zip(arrays_of(row), shardings))


def test_a_queue_is_written_from_an_explicit_mesh():
    mesh, axis_name = on_devices.mesh_of(8, AxisType.Explicit)
    queue, keys = np.zeros((12, 4), np.float32), np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    expected = objectives.enqueue(jnp.asarray(queue), jnp.int32(7), jnp.asarray(keys))
    with jax.set_mesh(mesh):
        sharded = jax.device_put(keys, jax.NamedSharding(mesh, jax.P(axis_name)))
        written = jax.jit(objectives.enqueue)(queue, np.int32(7), sharded)
    jax.tree.map(close, written, expected)


# Fast are a loss with a derivative of its own, built on a gather, one on a quotient of sums, one with scalars that devices share.
@pytest.mark.parametrize("row", slow_but("nt_xent", "mae_loss", "siglip_loss"))
def test_parameter_gradient_follows_the_documented_rule(row):
    """Nothing to reduce in shard_map; one pmean of the gradients in pmap and with check_vma=False."""
    devices = 4
    arrays = arrays_of(row)
    weight = np.linspace(0.5, 1.5, arrays[0].shape[-1]).astype(np.float32)
    mesh = jax.make_mesh((devices,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:devices])

    def loss(weight, *arrays, axis_name=None):
        # Each feature and some of the next: the scale of features alone is nothing to a loss that standardises them.
        weight = weight.reshape((1,) * (arrays[0].ndim - 1) + weight.shape)
        predicted = arrays[0] + weight * jnp.roll(arrays[0], 1, -1)
        return row.function(predicted, *arrays[1:], axis_name=axis_name)

    # The weight stands for a parameter of the network; beside it, what the objective itself takes of parameters.
    shared = tuple(i for i in row.differentiable if row.batch_axes[i] is None)
    gradient = functools.partial(jax.grad, argnums=(0, *(i + 1 for i in shared)))

    def local(weight, *arrays):
        return gradient(functools.partial(loss, axis_name="data"))(weight, *arrays)

    def reduced(weight, *arrays):
        return jax.lax.pmean(local(weight, *arrays), "data")

    def split(array, axis):
        return array if axis is None else array.reshape(*array.shape[:axis], devices, -1, *array.shape[axis + 1 :])

    specs = (jax.P(), *on_devices.specs_of(row.batch_axes, "data"))
    with_vma = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=jax.P())
    without = jax.shard_map(reduced, mesh=mesh, in_specs=specs, out_specs=jax.P(), check_vma=False)
    pmapped = jax.pmap(reduced, "data", in_axes=(None, *row.batch_axes), out_axes=None, devices=jax.devices()[:devices])
    expected = jax.jit(gradient(loss))(weight, *arrays)
    jax.tree.map(close, jax.jit(with_vma)(weight, *arrays), expected)
    jax.tree.map(close, jax.jit(without)(weight, *arrays), expected)
    jax.tree.map(close, pmapped(weight, *map(split, arrays, row.batch_axes)), expected)


@every_objective
@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_loss_is_a_float32_scalar_and_gradients_keep_the_input_dtype(row, dtype):
    arrays = row.map_floats(lambda x: x.astype(dtype), arrays_of(row))
    loss, grads = jax.eval_shape(row.value_and_grads, *arrays)
    assert (loss.shape, loss.dtype) == ((), jnp.float32)
    grads = jax.tree.leaves(grads)  # labels have none
    assert [grad.dtype for grad in grads] == [dtype] * (len(arrays) - len(row.labels))


@pytest.mark.parametrize("row", slow_but("nt_xent", "dino_loss", "mae_loss", "vicreg_loss", "causal_lm_loss"))
def test_arithmetic_is_float32_for_bfloat16_inputs(row):
    arrays = row.map_floats(lambda x: x.astype(ml_dtypes.bfloat16), arrays_of(row))
    loss, grads = row.value_and_grads(*arrays)
    exact_loss, exact_grads = row.value_and_grads(*row.map_floats(lambda x: x.astype(np.float32), arrays))
    close(loss, exact_loss)  # only the rounding of the inputs is left, and both runs share it
    for grad, exact in zip(jax.tree.leaves(grads), jax.tree.leaves(exact_grads)):
        assert np.all(np.isfinite(grad.astype(np.float32)))
        close(grad, exact, relative=2.0**-8)  # the half step of storing the gradient itself in bfloat16


@every_objective
def test_every_product_asks_for_full_precision(row):
    """TPUs and GPUs round float32 products unless told not to; the CPU that runs this test never does."""

    def products(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name == "dot_general":
                yield equation.params["precision"]
            for parameter in equation.params.values():
                inner = getattr(parameter, "jaxpr", parameter)
                if hasattr(inner, "eqns"):
                    yield from products(inner)

    with jax.default_matmul_precision("bfloat16"):
        jaxpr = jax.make_jaxpr(jax.grad(row.function, row.differentiable))(*arrays_of(row)).jaxpr
    found = list(products(jaxpr))
    assert set(found) <= {(jax.lax.Precision.HIGHEST,) * 2}
    assert bool(found) == row.products  # the walk does see them


@every_objective
@pytest.mark.parametrize("dtype", [np.float32, pytest.param(ml_dtypes.bfloat16, marks=pytest.mark.slow)])
@pytest.mark.parametrize("value", [0.0, 1.0, 3e4], ids=["zero", "identical", "large"])
def test_gradient_is_finite_where_embeddings_collapse(row, value, dtype):
    loss, grads = row.value_and_grads(*row.map_floats(lambda x: np.full_like(x, value, dtype), arrays_of(row)))
    assert np.isfinite(loss)
    for grad in jax.tree.leaves(grads):
        assert np.all(np.isfinite(grad.astype(np.float32)))


@every_objective
def test_no_gradient_reaches_stopped_inputs(row):
    _, grads = row.value_and_grads(*arrays_of(row))
    for argument in row.stopped:
        assert not np.any(grads[argument])
    for argument in row.differentiable:
        assert np.any(grads[argument])


@pytest.mark.parametrize("name", TABLE)
def test_mismatched_shapes_are_named(name):
    row = TABLE[name]
    arrays = arrays_of(row)
    accepted = []
    for i, axis in [(i, axis) for i, x in enumerate(arrays) for axis in range(x.ndim)]:
        wrong = list(arrays)
        wrong[i] = np.take(arrays[i], range(arrays[i].shape[axis] - 1), axis=axis)
        try:
            jax.eval_shape(row.function, *wrong)
        except ValueError as error:
            assert str(wrong[i].shape) in str(error)
            assert any(str(arrays[j].shape) in str(error) for j in range(len(arrays)) if j != i)
            assert "\n" not in str(error)
        else:
            accepted.append((i, axis))
    # The lengths that are free: of the queue, the numbers of crops, classes, tokens and colours, and all of an array that is alone.
    crops = {"dino_loss", "dinov2_loss", "swav_loss"}
    free = {"info_nce queue": [(2, 0)], "koleo_loss": [(0, 0), (0, 1)]}
    free |= {"sigreg_loss": [(0, 0), (0, 1)], "lejepa_loss": [(0, 0), (0, 1), (0, 2)]}
    free |= {"cross_entropy_loss": [(0, 1)], "cross_entropy_loss weighted": [(0, 2)]}
    free |= {
        "causal_lm_loss": [(1, 0)],
        "masked_lm_loss": [(0, 1), (1, 0)],
        "wav2vec2_loss": [(2, 2)],
        "cpc_loss": [(2, 2)],
    }
    free |= {"code_diversity_loss": [(0, 2), (0, 3)], "flow_smoothness_loss": [(1, 3)]}
    free |= dict.fromkeys(crops, [(0, 0), (1, 0)])
    assert accepted == free.get(name, [])


@every_objective
def test_wrong_rank_is_refused(row):
    arrays = arrays_of(row)
    with pytest.raises(ValueError, match="shape"):
        row.function(arrays[0][0], *arrays[1:])
    with pytest.raises(ValueError, match="shape"):
        row.function(*[x.reshape(-1) for x in arrays])


@every_objective
def test_lists_are_refused(row):
    arrays = arrays_of(row)
    with pytest.raises(ValueError, match="is a list; pass an array, jax.numpy.asarray") as error:
        row.function(arrays[0].tolist(), *arrays[1:])
    assert "\n" not in str(error.value)


@every_objective
def test_empty_batch_is_refused(row):
    with pytest.raises(ValueError, match="is empty, shape"):
        row.function(*arrays_of(row, batch=0))


@every_objective
def test_order_of_the_batch_does_not_matter(row):
    arrays = arrays_of(row)
    loss = row.value_and_grads(*arrays)[0]
    order = np.random.default_rng(1).permutation(BATCH)
    shuffled = take(row, arrays, order)
    close(row.value_and_grads(*shuffled)[0], loss)
    # But which example goes with which does matter.
    if len(arrays) > 1:
        unpaired = [take(row, arrays, np.roll(order, 1))[0], *shuffled[1:]]
        assert abs(row.value_and_grads(*unpaired)[0] - loss) > 1e-3


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.swap])
def test_views_may_be_swapped(name):
    row = TABLE[name]
    arrays = arrays_of(row)
    loss, grads = row.value_and_grads(*arrays)
    swapped_loss, swapped_grads = row.value_and_grads(*[arrays[i] for i in row.swap])
    close(swapped_loss, loss)
    for argument, i in enumerate(row.swap):
        if argument not in row.labels:
            close(swapped_grads[argument], grads[i])


@pytest.mark.parametrize("row", slow_but("nt_xent", "dino_loss", "mae_loss", "causal_lm_loss"))
def test_accumulation_over_half_batches(row):
    arrays = arrays_of(row)
    function = jax.jit(row.function)
    halves = [function(*take(row, arrays, examples)) for examples in (range(BATCH // 2), range(BATCH // 2, BATCH))]
    difference = abs(np.mean(halves) - row.value_and_grads(*arrays)[0])
    assert (difference < 1e-5) == row.mean_over_examples


@pytest.mark.parametrize("row", slow_but("nt_xent", "swav_loss", "mae_loss"))
def test_vmap(row):
    arrays = arrays_of(row)
    order = np.arange(BATCH)[::-1]
    stacked = [np.stack(pair) for pair in zip(arrays, take(row, arrays, order))]
    losses = jax.jit(jax.vmap(row.function))(*stacked)
    close(losses, np.full(2, row.value_and_grads(*arrays)[0]))


def test_import_is_light():
    heavy = ("flax", "optax", "orbax", "grain", "tensorflow_datasets", "tensorflow", "ml_collections", "PIL")
    code = f"import jssl.objectives, sys; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", objectives.__all__)
def test_everything_public_is_documented(name):
    text = getattr(objectives, name).__doc__
    assert all(part in text for part in ("Args:", "Returns:", ">>> "))


def test_every_loss_is_in_the_table():
    losses = {name for name in objectives.__all__ if name.endswith("_loss")} | {"info_nce", "nt_xent"}
    assert {name.split()[0] for name in TABLE} == losses
