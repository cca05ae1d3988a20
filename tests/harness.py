"""Builds and runs tiny runs of every row of a method, on any number of the eight forced devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from rows import ROWS, method_of

from jssl import data, methods, sharding
from jssl.train import optimizers, schedules
from jssl.train.state import init_state
from jssl.train.step import make_train_step

BATCH, SIZE = 16, 16
RULES = ((".*", sharding.shard_largest(min_size=32)),)  # small enough that tiny layers are split, too


BATCH_SHAPE = {
    "image": jax.ShapeDtypeStruct((2, 20, 20, 3), jnp.uint8),
    "label": jax.ShapeDtypeStruct((2,), jnp.int32),
    "index": jax.ShapeDtypeStruct((2,), jnp.int32),
}


@functools.cache
def images():
    """64 random images, smooth enough for crops to be alike."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (64, 4, 4, 3), dtype=np.uint8)
    return data.ArraySource(coarse.repeat(5, 1).repeat(5, 2), np.arange(64) % 4)


@functools.cache
def parts(name, devices=1, fsdp=1, accumulate=1, dtype=jnp.float32):
    """(method, mesh, step, initial state): built once per process, since compiling is most of a test's time."""
    method = methods.build(method_of(name), image_size=SIZE, dtype=dtype, **ROWS[name])
    mesh, tx = sharding.make_mesh(jax.devices()[:devices], fsdp=fsdp), make_optimizer()
    state, specs = init_state(method, tx, jax.random.key(1), BATCH_SHAPE, mesh, RULES)
    return method, mesh, make_step(method, mesh, specs, accumulate), state, specs


def make_optimizer():
    # Small steps: a ReLU that rounding flips must not grow into another run within the 20 steps that are compared.
    return optimizers.make_optimizer("sgd", learning_rate=0.002, weight_decay=1e-4, clip_norm=10.0)


def make_step(method, mesh, specs, accumulate=1):
    momentum = schedules.cosine(0.9, 1.0, 100)
    return make_train_step(method, make_optimizer(), mesh, specs, momentum=momentum, accumulate=accumulate)


class Tiny:
    """A tiny run: ``state``, ``step``, ``feed`` of a method on some devices; the arguments are those of ``parts``."""

    def __init__(self, name, **options):
        self.method, self.mesh, self.step, state, self.specs = parts(name, **options)
        self.state = jax.tree.map(jnp.copy, state)  # the step donates what it is given
        self.feed = data.ResidentFeed(images(), self.mesh, seed=3, global_batch=BATCH)

    def run(self, steps: int) -> list[float]:
        """Does ``steps`` more updates; returns their losses."""
        losses = []
        for step in range(int(self.state.step), int(self.state.step) + steps):
            batch = self.feed.batch(step)
            with jax.transfer_guard("disallow"):
                self.state, metrics = self.step(self.state, batch)
            losses.append(float(metrics["loss"]))
        return losses


def arrays(state) -> dict[str, np.ndarray]:
    """Every leaf of a state by path, on the host."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {
        jax.tree_util.keystr(path): np.asarray(
            jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
        )
        for path, x in leaves
    }
