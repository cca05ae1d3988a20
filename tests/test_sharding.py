"""The mesh and the sharding table."""

import re

import jax
import numpy as np
import pytest
from harness import RULES, batch_shape, build, make_optimizer, make_step, source_of

from jssl import sharding
from jssl.train.state import abstract_state

P = jax.P


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, {"data": 8, "fsdp": 1}),
        ({"fsdp": 4}, {"data": 2, "fsdp": 4}),
        ({"fsdp": 2, "tensor": 2}, {"data": 2, "fsdp": 2, "tensor": 2}),
    ],
)
def test_mesh(options, shape):
    mesh = sharding.make_mesh(**options)
    assert dict(mesh.shape) == shape
    assert sharding.shares(mesh) == shape["data"] * shape["fsdp"]


@pytest.mark.parametrize(
    ("options", "told"),
    [({"fsdp": 3}, "fsdp=3 does not"), ({"fsdp": 4, "tensor": 4}, "fsdp=4 x tensor=4 does not"), ({"tensor": 0}, "0")],
)
def test_what_does_not_divide_the_devices(options, told):
    with pytest.raises(ValueError, match=f"{told}.*divide the 8 devices"):
        sharding.make_mesh(**options)


@pytest.mark.parametrize(
    ("path", "shape", "spec"),
    [
        ("encoder/block_0/fc1/kernel", (256, 1024), P("fsdp", "tensor")),
        ("encoder/block_0/fc2/kernel", (1024, 256), P("tensor", "fsdp")),
        ("encoder/blocks/fc1/kernel", (12, 256, 1024), P(None, "fsdp", "tensor")),
        ("encoder/blocks/fc2/kernel", (12, 1024, 256), P(None, "tensor", "fsdp")),
        ("encoder/blocks/qkv/kernel", (12, 256, 768), P(None, None, "fsdp")),
        ("encoder/block_0/qkv/kernel", (256, 768), P(None, "fsdp")),
        ("text/embedding", (50_000, 256), P("tensor", "fsdp")),
        ("text/embedding", (50_001, 256), P(None, "fsdp")),  # tensor does not divide it
        ("head/last_layer/kernel", (256, 65_536), P("fsdp", "tensor")),
        ("projector/dense2/kernel", (8192, 8192), P("fsdp", "tensor")),
        ("projector/dense2/kernel", (16, 16), P()),  # small
        ("encoder/block_0/fc1/bias", (1024,), P()),
    ],
)
def test_table(path, shape, spec):
    mesh = sharding.make_mesh(fsdp=2, tensor=2)
    tree = jax.ShapeDtypeStruct(shape, np.float32)
    for name in reversed(path.split("/")):
        tree = {name: tree}
    assert jax.tree.leaves(sharding.layout(tree, mesh)) == [spec]


@pytest.mark.slow
def test_wide_layers_are_never_whole_on_a_device():
    """Their slices are put together over fsdp alone: nothing of the compiled step gathers all of an MLP or the vocabulary."""
    method, mesh = build("causal_lm"), sharding.make_mesh(fsdp=2, tensor=2)
    state = abstract_state(method, make_optimizer(), jax.random.key(0), source_of("causal_lm").spec, mesh, RULES)
    placed = sharding.batch_sharding(mesh)
    batch = {
        name: jax.ShapeDtypeStruct(field.shape, field.dtype, sharding=placed)
        for name, field in batch_shape("causal_lm", 16).items()
    }
    step = make_step(method, mesh, jax.tree.map(lambda leaf: leaf.sharding.spec, state))
    program = step.lower(state, batch).compile().as_text()
    gathered = set(re.findall(r"f32\[(\S+)\]\S* all-gather", program))
    assert {"16,32", "32,16", "20,16"} <= gathered  # half of fc1, fc2 and the embedding, (40, 16)
    assert not {"16,64", "64,16", "40,16"} & gathered
