"""What every objective promises, checked over `objective_table.TABLE`."""

import itertools
import subprocess
import sys

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import on_devices
import pytest
from objective_table import TABLE

BATCH = 8

every_objective = pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())


def arrays_of(row, batch=BATCH, seed=0):
    return row.make(np.random.default_rng(seed), batch)


def close(x, reference, relative=1e-5):
    """Equal up to float32 rounding, on the scale of the largest entry."""
    x, reference = np.asarray(x), np.asarray(reference)
    assert x.shape == reference.shape
    assert np.max(np.abs(x - reference)) <= 1e-7 + relative * np.max(np.abs(reference))


@every_objective
def test_same_loss_and_gradient_on_any_devices(row):
    arrays = arrays_of(row)
    value_and_grad = jax.value_and_grad(row.function, row.differentiable)
    loss, grads = value_and_grad(*arrays)
    assert np.isfinite(loss)
    runs = {"jit": jax.jit(value_and_grad)(*arrays)}
    for devices in (1, 2, 4, 8):
        runs[devices] = on_devices.value_and_grad(row.function, devices, arrays, row.batch_axes, row.differentiable)
    mesh, axis_name = on_devices.mesh_of(8)
    shardings = [jax.NamedSharding(mesh, spec) for spec in on_devices.specs_of(row.batch_axes, axis_name)]
    runs["jit of sharded arrays"] = jax.jit(value_and_grad)(*map(jax.device_put, arrays, shardings))
    for run_loss, run_grads in runs.values():
        close(run_loss, loss)
        for grad, reference in zip(run_grads, grads):
            assert np.any(reference)
            close(grad, reference)


@every_objective
def test_parameter_gradient_follows_the_documented_rule(row):
    """Nothing to reduce in shard_map; one pmean of the gradients in pmap and with check_vma=False."""
    devices = 4
    arrays = arrays_of(row)
    scale = np.linspace(0.5, 1.5, arrays[0].shape[-1]).astype(np.float32)
    mesh, _ = on_devices.mesh_of(2)
    mesh = jax.make_mesh((devices,), ("data",), axis_types=mesh.axis_types, devices=jax.devices()[:devices])

    def loss(scale, *arrays, axis_name=None):
        predicted = arrays[0] * scale.reshape((1,) * (arrays[0].ndim - 1) + scale.shape)
        return row.function(predicted, *arrays[1:], axis_name=axis_name)

    def local(scale, *arrays):
        return jax.grad(loss)(scale, *arrays, axis_name="data")

    def reduced(scale, *arrays):
        return jax.lax.pmean(local(scale, *arrays), "data")

    specs = (jax.P(), *on_devices.specs_of(row.batch_axes, "data"))
    with_vma = jax.shard_map(local, mesh=mesh, in_specs=specs, out_specs=jax.P())
    without = jax.shard_map(reduced, mesh=mesh, in_specs=specs, out_specs=jax.P(), check_vma=False)
    mapped = jax.vmap(reduced, in_axes=(None, *row.batch_axes), out_axes=None, axis_name="data")

    def split(array, axis):
        if axis is None:
            return array
        return array.reshape(*array.shape[:axis], devices, -1, *array.shape[axis + 1 :])

    expected = jax.grad(loss)(scale, *arrays)
    close(jax.jit(with_vma)(scale, *arrays), expected)
    close(jax.jit(without)(scale, *arrays), expected)
    close(mapped(scale, *map(split, arrays, row.batch_axes)), expected)


@every_objective
@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_loss_is_a_float32_scalar_and_gradients_keep_the_input_dtype(row, dtype):
    arrays = [x.astype(dtype) for x in arrays_of(row)]
    loss, grads = jax.value_and_grad(row.function, row.differentiable)(*arrays)
    assert loss.dtype == jnp.float32
    assert loss.shape == ()
    assert all(grad.dtype == dtype and np.isfinite(grad.astype(np.float32)).all() for grad in grads)
    exact = row.function(*[x.astype(np.float32) for x in arrays])
    close(loss, exact)  # the arithmetic is float32, so only the rounding of the inputs is left


@every_objective
def test_every_product_asks_for_full_precision(row):
    """TPUs and GPUs round float32 products unless told not to; the CPU that runs this test never does."""

    def products(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name == "dot_general":
                yield equation.params["precision"]
            for parameter in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns")):
                inner = getattr(parameter, "jaxpr", parameter)
                if hasattr(inner, "eqns"):
                    yield from products(inner)

    with jax.default_matmul_precision("bfloat16"):
        jaxpr = jax.make_jaxpr(jax.grad(row.function, row.differentiable))(*arrays_of(row)).jaxpr
    found = list(products(jaxpr))
    highest = (jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGHEST)
    assert all(precision == highest for precision in found)
    if 0 in row.differentiable and len(row.batch_axes) > 1 and arrays_of(row)[0].ndim == 2:
        assert found  # the walk does see the products of contrastive losses


@every_objective
@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
@pytest.mark.parametrize("value", [0.0, 1.0, 3e4], ids=["zero", "identical", "large"])
def test_gradient_is_finite_where_embeddings_collapse(row, value, dtype):
    arrays = [np.full_like(x, value, dtype) for x in arrays_of(row)]
    loss, grads = jax.value_and_grad(row.function, row.differentiable)(*arrays)
    assert np.isfinite(loss)
    assert all(np.isfinite(grad.astype(np.float32)).all() for grad in grads)


@every_objective
def test_no_gradient_reaches_stopped_inputs(row):
    arrays = arrays_of(row)
    for argument in row.stopped:
        assert not np.any(jax.grad(row.function, argument)(*arrays))
    for argument in row.differentiable:
        assert np.any(jax.grad(row.function, argument)(*arrays))


@every_objective
def test_mismatched_shapes_are_named(row):
    arrays = arrays_of(row)
    axes = [(i, axis) for i in range(len(arrays)) for axis in range(arrays[i].ndim)]
    accepted = []
    for i, axis in axes:
        wrong = list(arrays)
        wrong[i] = np.take(arrays[i], range(arrays[i].shape[axis] - 1), axis=axis)
        try:
            row.function(*wrong)
        except ValueError as error:
            assert str(wrong[i].shape) in str(error)
            assert any(str(arrays[j].shape) in str(error) for j in range(len(arrays)) if j != i)
            assert "\n" not in str(error)
        else:
            accepted.append((i, axis))
    # Free lengths: those of the queue and of the crops.
    free = {"info_nce queue": [(2, 0)], "dino_loss": [(0, 0), (1, 0)]}
    assert accepted == free.get(next(name for name, other in TABLE.items() if other is row), [])


@every_objective
def test_wrong_rank_is_refused(row):
    arrays = arrays_of(row)
    with pytest.raises(ValueError, match=r"shape"):
        row.function(arrays[0][0], *arrays[1:])
    with pytest.raises(ValueError, match=r"shape"):
        row.function(*[x.reshape(-1) for x in arrays])


@every_objective
def test_empty_batch_is_refused(row):
    with pytest.raises(ValueError, match="empty"):
        row.function(*arrays_of(row, batch=0))


@every_objective
def test_order_of_the_batch_does_not_matter(row):
    arrays = arrays_of(row)
    order = np.random.default_rng(1).permutation(BATCH)
    shuffled = [x if axis is None else np.take(x, order, axis) for x, axis in zip(arrays, row.batch_axes)]
    close(row.function(*shuffled), row.function(*arrays))
    # ... but which example goes with which does: the loss is not blind to the pairing.
    unpaired = [np.take(arrays[0], np.roll(order, 1), row.batch_axes[0]), *shuffled[1:]]
    assert abs(row.function(*unpaired) - row.function(*arrays)) > 1e-3


@every_objective
def test_symmetry(row):
    arrays = arrays_of(row)
    if row.swap is None:
        swapped = [arrays[1], arrays[0], *arrays[2:]]
        if swapped[0].shape == arrays[0].shape and row.stopped:
            # One direction only: the prediction's gradient is there, the target's is not.
            assert np.any(jax.grad(row.function)(*swapped))
            assert not np.any(jax.grad(row.function, 1)(*swapped))
    else:
        close(row.function(*[arrays[i] for i in row.swap]), row.function(*arrays))


@every_objective
def test_accumulation_over_half_batches(row):
    arrays = arrays_of(row)
    halves = []
    for half in (slice(0, BATCH // 2), slice(BATCH // 2, None)):
        rows = range(BATCH)[half]
        halves.append(
            row.function(*[x if axis is None else np.take(x, rows, axis) for x, axis in zip(arrays, row.batch_axes)])
        )
    difference = abs(np.mean(halves) - row.function(*arrays))
    assert (difference < 1e-5) == row.mean_over_examples


@every_objective
def test_traced_hyperparameters_and_vmap(row):
    arrays = arrays_of(row)
    stacked = jax.vmap(row.function)(*[np.stack([x, x[::-1]]) for x in arrays])
    close(stacked[0], row.function(*arrays))


def test_import_is_light():
    heavy = ("flax", "optax", "orbax", "grain", "tensorflow_datasets", "tensorflow", "ml_collections", "PIL")
    code = f"import jssl.objectives, sys; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_everything_public_is_documented():
    from jssl import objectives

    for name in objectives.__all__:
        text = getattr(objectives, name).__doc__
        assert all(part in text for part in ("Args:", "Returns:", ">>> ")), name
    assert len(set(objectives.__all__)) == len(objectives.__all__)
    assert set(itertools.chain.from_iterable(name.split()[:1] for name in TABLE)) <= set(objectives.__all__)
