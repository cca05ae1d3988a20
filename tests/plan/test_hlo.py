"""Collectives, products and bytes of real compiled programs, against what they must be."""

import functools

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from jssl import sharding
from jssl.plan import hlo, wire, work

WHOLE, SHARED = P(), P(sharding.AXES)


def compiled(function, in_specs, out_specs, *shapes, fsdp=2):
    mesh = sharding.make_mesh(fsdp=fsdp)
    mapped = jax.shard_map(function, mesh=mesh, in_specs=in_specs, out_specs=out_specs)
    arguments = [
        jax.ShapeDtypeStruct(shape, jnp.float32, sharding=NamedSharding(mesh, spec))
        for shape, spec in zip(shapes, in_specs)
    ]
    return hlo.parse(jax.jit(mapped).lower(*arguments).compile().as_text())


def test_an_all_reduce_sends_nearly_twice_the_array():
    program = compiled(lambda x: jax.lax.psum(x, sharding.AXES), (SHARED,), WHOLE, (8, 4096))
    (traffic,) = wire.traffic(program, 8).values()
    assert traffic == wire.Traffic("all-reduce", 1, 2 * 7 * 4096 * 4 // 8, 4096 * 4)


def test_parameters_are_gathered_and_their_gradients_scattered_before_they_are_summed():
    specs = P("fsdp")

    def gradient(x, shard):
        return jax.grad(lambda shard: jnp.tanh(sharding.gather(shard, specs) * x[0, :1]).sum())(shard)

    found = wire.traffic(compiled(gradient, (SHARED, specs), specs, (8, 1), (4096,)), 8)
    whole, shard = 4096 * 4, 4096 * 4 // 2
    assert found["all-gather"] == wire.Traffic("all-gather", 1, whole // 2, whole)
    assert found["reduce-scatter"] == wire.Traffic("reduce-scatter", 1, whole // 2, whole)
    assert found["all-reduce"] == wire.Traffic("all-reduce", 1, 2 * 3 * shard // 4, shard)  # among the 4 that hold it


def test_what_a_loop_does_counts_as_often_as_it_turns():
    def repeat(x, w):
        def body(x, _):
            total = jax.lax.psum(jnp.tanh(x @ w), sharding.AXES)
            return jax.lax.pcast(total, sharding.AXES, to="varying"), None

        return jax.lax.scan(body, x, length=6)[0]

    program = compiled(repeat, (SHARED, WHOLE), SHARED, (256, 64), (64, 64))
    assert work.product_flops(program) == 6 * 2 * 32 * 64 * 64
    assert wire.traffic(program, 8)["all-reduce"].count == 6


@pytest.mark.parametrize("stride", [1, 2])
def test_convolutions_count_without_their_padding(stride):
    def convolve(x, w):
        return jax.lax.conv_general_dilated(x, w, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    shapes = (jax.ShapeDtypeStruct((2, 8, 8, 4), jnp.float32), jax.ShapeDtypeStruct((3, 3, 4, 16), jnp.float32))
    program = hlo.parse(jax.jit(convolve).lower(*shapes).compile().as_text())
    taps = {1: 22, 2: 11}[stride]  # along one side: 8 x 3 less the two at the ends; 4 x 3 less the one at the end
    assert work.product_flops(program) == 2 * 2 * taps**2 * 4 * 16


def test_bytes_are_those_of_operands_and_results():
    program = hlo.parse(jax.jit(lambda x: jnp.tanh(x) + 1).lower(jnp.ones(1024)).compile().as_text())
    assert work.memory_bytes(program) == 2 * 1024 * 4


def test_a_slice_of_a_large_array_reads_the_slice():
    pick = jax.jit(functools.partial(jax.lax.dynamic_slice_in_dim, slice_size=8))
    program = hlo.parse(pick.lower(jnp.ones((1024, 16)), 3).compile().as_text())
    assert work.memory_bytes(program) < 4 * 8 * 16 * 4


def test_a_loop_that_reads_one_layer_and_writes_another_does_not_move_the_stack():
    def layers(x, stack):
        return jax.lax.scan(lambda x, w: (jnp.tanh(x * w), x * w), x, stack)

    shapes = jax.ShapeDtypeStruct((256,), jnp.float32), jax.ShapeDtypeStruct((100, 256), jnp.float32)
    program = hlo.parse(jax.jit(layers).lower(*shapes).compile().as_text())
    turn = 256 * 4
    assert (
        100 * 3 * turn <= work.memory_bytes(program) < 100 * 12 * turn
    )  # of 100 stacks of 100 rows each, were it whole
