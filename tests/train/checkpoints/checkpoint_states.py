"""States that hold all that a run may hold, and what the tests of checkpoints do with them."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jssl.train.checkpoints import Checkpointer

AXES = ("data", "fsdp")
META = {"config": {"model": {"width": 16}, "optimizer": {"learning_rate": 0.1}}, "data": "f00d"}


def make_mesh(devices=8):
    shape = {8: (4, 2), 2: (1, 2), 1: (1, 1)}[devices]
    return Mesh(np.array(jax.devices()[:devices]).reshape(shape), AXES, axis_types=(AxisType.Auto,) * 2)


def put(tree, mesh):
    """Shards the first axis over all devices where it divides, replicates the rest: one layout rule for all meshes."""

    def place(x):
        fits = (
            x.ndim > 0
            and x.shape[0]
            and x.shape[0] % mesh.size == 0
            and not jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
        )
        return jax.device_put(x, NamedSharding(mesh, P(AXES) if fits else P()))

    return jax.tree.map(place, tree)


def make_state(seed=0, devices=8, width=16):
    """All that a run may hold: optimiser NamedTuples, bf16, integers, bools, NaN, -0.0, PRNG keys, an empty queue."""
    rng = np.random.default_rng(seed)
    kernel = rng.standard_normal((width, 24)).astype(np.float32)
    kernel[0, :4] = [np.nan, -0.0, np.inf, 1e-42]
    params = {
        "dense": {"kernel": jnp.asarray(kernel), "bias": jnp.zeros(width)},
        "norm.scale": jnp.ones(width, jnp.bfloat16) / 3,
    }
    state = {
        "step": jnp.int32(seed),
        "params": params,
        "opt_state": optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3)).init(params),
        "extra": {
            "queue": jnp.zeros((0, 4)),
            "mask": jnp.asarray(rng.integers(0, 2, width), bool),
            "image": jnp.asarray(rng.integers(0, 256, (width, 3)), jnp.uint8),
        },
        "key": jax.random.key(seed),
        "keys": jax.random.split(jax.random.key(seed, impl="rbg"), 3),
    }
    return put(state, make_mesh(devices))


def abstract(state):
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state)


def bits(x):
    x = jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
    return np.asarray(x).tobytes()


def assert_same(restored, state):
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    for (path, a), b in zip(jax.tree.leaves_with_path(restored), jax.tree.leaves(state)):
        assert (a.shape, a.dtype) == (b.shape, b.dtype), path
        assert bits(a) == bits(b), path


def files(folder):
    return sorted(p for p in pathlib.Path(folder).rglob("*") if p.is_file())


def names(folder):
    return sorted(p.name for p in pathlib.Path(folder).iterdir())


def flip(path, position, bit=3):
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << bit
    path.write_bytes(data)


def two_saves(folder, **options):
    with Checkpointer(folder, every=1, **options) as checkpoints:
        for step in (1, 2):
            assert checkpoints.save(step, make_state(step), META)
    return folder
