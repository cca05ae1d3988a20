"""Runs an objective on N of the forced CPU devices, the way the training step does."""

import functools

import jax
import numpy as np

P = jax.P


def mesh_of(devices: int, axis_type=jax.sharding.AxisType.Auto):
    """A mesh and the batch axes: one axis for two devices, (data, fsdp) from four on, so that tuples are met too."""
    if devices < 4:
        return jax.make_mesh((devices,), ("data",), axis_types=(axis_type,), devices=jax.devices()[:devices]), "data"
    types, used = (axis_type, axis_type), jax.devices()[:devices]
    return jax.make_mesh((devices // 2, 2), ("data", "fsdp"), axis_types=types, devices=used), ("data", "fsdp")


def specs_of(batch_axes, axis_name):
    """One PartitionSpec per array: split over its batch axis, or replicated where that is None."""
    return tuple(P() if axis is None else P(*[None] * axis, axis_name) for axis in batch_axes)


def mapped(function, devices, batch_axes, out_batch_axes):
    """Jitted function(*arrays, axis_name=...) in shard_map.

    Each array and result is split over its batch axis; where that is None, out_specs P() makes JAX prove that the
    result is equal on all devices.
    """
    mesh, axis_name = mesh_of(devices)
    out_specs = jax.tree.map(
        lambda axis: specs_of((axis,), axis_name)[0], out_batch_axes, is_leaf=lambda axis: axis is None
    )
    local = functools.partial(function, axis_name=axis_name)
    return jax.jit(
        jax.shard_map(local, mesh=mesh, in_specs=specs_of(batch_axes, axis_name), out_specs=out_specs, check_vma=True)
    )


def value_and_grad(function, devices, arrays, batch_axes, argnums):
    """Loss and gradients taken inside shard_map."""

    def local(*arrays, axis_name):
        return jax.value_and_grad(functools.partial(function, axis_name=axis_name), argnums)(*arrays)

    return mapped(local, devices, batch_axes, (None, tuple(batch_axes[i] for i in argnums)))(*arrays)


def assert_rounded_grad(value, reference, tolerance):
    """The golden tolerance plus the half step by which storing the gradient itself in bfloat16 rounds each entry."""
    assert value.dtype == jax.numpy.bfloat16
    value, reference = np.asarray(value, np.float64), np.asarray(reference, np.float64)
    bound = tolerance["grad_atol"] + tolerance["grad_max_rel"] * np.abs(reference).max() + 2.0**-8 * np.abs(reference)
    assert np.all(np.abs(value - reference) <= bound)
