"""An optimiser gives the same updates wherever its parameters and its state lie: stacked, sharded, donated."""

import functools

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import PartitionSpec as P
from trajectories import assert_trees_close, random_tree, trajectory

from jssl import sharding
from jssl.train import schedules
from jssl.train.optimizers import build

UNROLLED = {
    "encoder": {f"block_{i}": {"fc1": {"kernel": (8, 16), "bias": (16,)}, "norm1": {"scale": (8,)}} for i in range(2)},
    "pos_embed": (1, 4, 8),
    "head": {"kernel": (8, 8)},
}


def stack(tree):
    blocks = list(tree["encoder"].values())
    return {**tree, "encoder": {"blocks": jax.tree.map(lambda *x: jnp.stack(x), *blocks)}}


def full_options(name):
    return build(
        name,
        learning_rate=schedules.warmup_cosine(0.1, 2, 10),
        weight_decay=schedules.cosine(0.04, 0.4, 10),
        clip_norm=1.0,
        layer_decay=0.7,
        num_layers=2,
        groups={"head": 0.5},
    )


START = random_tree(0, UNROLLED)
GRADIENTS = [random_tree(t, UNROLLED) for t in (1, 2, 3)]


@functools.cache
def plain_run(name):
    """The last (parameters, state) on one device with unrolled layers."""
    return list(trajectory(full_options(name), START, GRADIENTS))[-1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adamw", "lars", "larc", "lamb", "muon"])  # sgd, lars_simclr share their parts
def test_a_stack_of_layers_trains_as_the_layers_do(name):
    stacked, _ = list(trajectory(full_options(name), stack(START), [stack(g) for g in GRADIENTS]))[-1]
    assert_trees_close(stacked, stack(plain_run(name)[0]), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adamw", "lars", "larc", "lamb", "muon"])
def test_shards_give_the_same_updates(name):
    """fsdp=8: norms are those of whole parameters, and every leaf of the state is an array that has a place."""
    mesh = sharding.make_mesh(fsdp=8)
    rules = ((".*", sharding.shard_largest(min_size=1)),)
    tx = full_options(name)

    def layout(tree):
        return sharding.named(sharding.layout(tree, mesh, rules), mesh)

    assert layout(START)["head"]["kernel"].spec != P()  # the test shards something
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(tx.init(START)))
    place = lambda tree: jax.device_put(tree, layout(tree))  # noqa: E731
    shardings = layout(START), layout(jax.eval_shape(tx.init, START))
    shards = list(trajectory(tx, place(START), [place(g) for g in GRADIENTS], shardings))[-1]
    assert_trees_close(shards, plain_run(name), rtol=1e-4, atol=1e-5)
