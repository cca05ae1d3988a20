"""Collectives on 1 to 8 devices, over one axis and over a tuple, and with no axis at all."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import collectives

P = jax.P
MESHES = {
    "one axis, 1": ((1,), ("data",), "data"),
    "one axis, 8": ((8,), ("data",), "data"),
    "tuple, 8": ((4, 2), ("data", "fsdp"), ("data", "fsdp")),
    "inner axis of two": ((4, 2), ("data", "fsdp"), "fsdp"),
}


@pytest.fixture(params=MESHES.values(), ids=MESHES.keys())
def layout(request):
    shape, names, axis_name = request.param
    devices = jax.devices()[: int(np.prod(shape))]
    auto = (jax.sharding.AxisType.Auto,) * len(shape)
    size = int(np.prod(shape)) if axis_name != "fsdp" else 2
    return jax.make_mesh(shape, names, axis_types=auto, devices=devices), axis_name, size


def run(layout, function, *arrays, out):
    mesh, axis_name, _ = layout
    mapped = jax.shard_map(
        functools.partial(function, axis_name=axis_name), mesh=mesh, in_specs=P(axis_name), out_specs=out
    )
    return np.asarray(jax.jit(mapped)(*arrays))


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)


@pytest.mark.parametrize("name", ["mean", "sum", "max", "min"])
def test_reductions(layout, values, name):
    shards = values.reshape(layout[2], -1, 3)
    result = run(layout, getattr(collectives, name), values, out=P())  # P(): JAX proves that all devices agree
    np.testing.assert_allclose(result, getattr(np, name)(shards, axis=0), rtol=1e-5, atol=1e-6)


def test_size_and_index(layout, values):
    def numbers(x, axis_name):
        assert isinstance(collectives.size(axis_name), int)
        return jnp.full(len(x), collectives.index(axis_name) + 10 * collectives.size(axis_name))

    size = layout[2]
    result = run(layout, numbers, values, out=P(layout[1]))
    np.testing.assert_array_equal(result, np.repeat(np.arange(size), 8 // size) + 10 * size)


def test_gather_has_every_device_in_order(layout, values):
    def rows(x, axis_name):
        return collectives.gather(x, axis_name)[None]

    result = run(layout, rows, values, out=P(layout[1]))
    assert result.shape == (layout[2], 8, 3)
    for copy in result:
        np.testing.assert_array_equal(copy, values)


def test_replicate_is_a_gather_that_jax_knows_to_be_equal(layout, values):
    np.testing.assert_array_equal(run(layout, collectives.replicate, values, out=P()), values)
    with pytest.raises(ValueError, match="out_specs"):
        run(layout, collectives.gather, values, out=P())


def test_gradient_of_a_gathered_loss_needs_no_reduction(layout, values):
    def loss(x, axis_name):
        everyone = collectives.gather(x, axis_name)
        return collectives.mean(jnp.mean(jnp.tanh(x @ everyone.T)), axis_name)

    result = run(layout, jax.grad(loss), values, out=P(layout[1]))
    np.testing.assert_allclose(result, jax.grad(loss)(values, None), rtol=1e-5, atol=1e-7)


def test_vary_like_makes_the_gradient_of_what_devices_share_one_sum(layout, values):
    """Of an array that JAX knows to vary, each device sees its own gradient; that of what they share is the sum."""

    def gradients(x, axis_name):
        shared = jnp.ones(3)
        copy = collectives.vary_like(shared, x)
        assert collectives.vary_like(copy, x) is copy
        own = jax.grad(lambda copy: jnp.sum(copy[None] * x))(copy)
        total = jax.grad(lambda shared: jnp.sum(collectives.vary_like(shared, x)[None] * x))(shared)
        return own[None], total

    mesh, axis_name, size = layout
    own, total = jax.jit(
        jax.shard_map(
            functools.partial(gradients, axis_name=axis_name),
            mesh=mesh,
            in_specs=P(axis_name),
            out_specs=(P(axis_name), P()),
        )
    )(values)
    np.testing.assert_allclose(own, values.reshape(size, -1, 3).sum(axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(total, values.sum(axis=0), rtol=1e-5, atol=1e-6)


def test_vary_like_does_nothing_where_nothing_is_known_to_vary(values):
    assert collectives.vary_like(values, values) is values
    mapped = jax.vmap(lambda x: collectives.vary_like(jnp.ones(3), x) * x, axis_name="devices")
    np.testing.assert_array_equal(mapped(values), values)


@pytest.mark.parametrize("name", ["max", "min", "replicate"])
def test_no_gradient(layout, values, name):
    def loss(x, axis_name):
        return jnp.sum(x) + jnp.sum(getattr(collectives, name)(x**2, axis_name))

    np.testing.assert_array_equal(run(layout, jax.grad(loss), values, out=P(layout[1])), np.ones_like(values))
    np.testing.assert_array_equal(jax.grad(loss)(values, None), np.ones_like(values))


def test_no_axis_is_identity(values):
    assert collectives.size(None) == 1
    assert collectives.index(None) == 0
    for name in ("mean", "sum", "max", "min", "gather", "replicate"):
        np.testing.assert_array_equal(getattr(collectives, name)(values, None), values)


def test_trees_are_reduced_leaf_by_leaf():
    tree = {"a": np.arange(4.0, dtype=np.float32), "b": (np.ones(4, np.float32),)}
    result = jax.vmap(lambda tree: collectives.mean(tree, "devices"), axis_name="devices")(tree)
    np.testing.assert_array_equal(result["a"], np.full(4, 1.5))
    np.testing.assert_array_equal(result["b"][0], np.ones(4))
