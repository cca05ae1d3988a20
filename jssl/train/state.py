"""Everything the next step needs, in one tree: what is checkpointed is what continues."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P

from jssl import sharding
from jssl.train import spikes


@flax.struct.dataclass
class TrainState:
    """One run, at one step. The data position is a function of ``step``, so it is in here too.

    Attributes:
      step: int32 scalar, the number of updates done.
      params: nested dict of float32 arrays.
      teacher: the EMA of a subtree of params; an empty dict where the method has none.
      opt_state: the optax state.
      extra: what else the method carries: batch statistics, queue, centre.
      recent: loss and gradient norm of the latest updates, which tell a spike.
      key: typed PRNG key; every random draw of step t is keyed by (key, t, example index).
    """

    step: Any
    params: Any
    teacher: Any
    opt_state: Any
    extra: Any
    recent: spikes.Recent
    key: Any


def view_keys(key, step, index):
    """One key per example and step, whatever device holds the example: (B,) keys."""
    return jax.vmap(lambda i: jax.random.fold_in(jax.random.fold_in(key, step), i))(index)


def make_views(method, key, step, batch):
    """(B,) raw examples -> (batched views, (B,) keys for the model).

    Beside the fields of the source an example holds its ``index`` and ``batch_key``, the randomness that it shares with its
    batch (I-JEPA draws block sizes once per batch).
    """
    if missing := sorted((method.fields | {"index"}) - batch.keys()):
        raise ValueError(
            f"{method.name}: the batch has no {', '.join(missing)}, only {', '.join(batch)}; beside what the method reads it "
            "needs index, (B,) int32, the number of each example in its data set"
        )
    keys = view_keys(key, step, batch["index"])
    pairs = jax.vmap(jax.random.split)(keys)
    batch_key = jax.random.fold_in(key, step)
    views = jax.vmap(lambda k, example: method.views(k, {**example, "batch_key": batch_key}))(pairs[:, 0], batch)
    return views, pairs[:, 1]


def init_state(method, tx, key, spec, mesh, rules=sharding.DEFAULT_RULES):
    """Builds the sharded initial state, and the tree of PartitionSpecs that describes it.

    Args: see ``abstract_state``.

    Returns:
      (TrainState, TrainState of PartitionSpecs).
    """
    build, _, specs = _plan(method, tx, key, spec, mesh, rules)
    # What runs once is not worth optimising: LLVM's passes took 18 of the 22 seconds that a small ResNet's draws compiled.
    quick = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    options = quick if mesh.devices.flat[0].platform == "cpu" else None
    return jax.jit(build, out_shardings=sharding.named(specs, mesh), compiler_options=options)(key), specs


def abstract_state(method, tx, key, spec, mesh, rules=sharding.DEFAULT_RULES):
    """Shapes, dtypes and shardings of the state, into which a checkpoint is restored; nothing is computed or compiled.

    Args:
      method: the method record.
      tx: optax gradient transformation.
      key: typed PRNG key of the run.
      spec: of one example, ``source.spec``.
      mesh: from ``sharding.make_mesh``.
      rules: the sharding table.

    Returns:
      TrainState of jax.ShapeDtypeStruct.
    """
    _, shapes, specs = _plan(method, tx, key, spec, mesh, rules)
    return jax.tree.map(
        lambda x, where: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=where), shapes, sharding.named(specs, mesh)
    )


def _plan(method, tx, key, spec, mesh, rules):
    """The function that makes the state, what it makes, and where that lies."""

    def build(key):
        init_key, run_key = jax.random.split(key)
        batch = {name: jnp.zeros((2, *field.shape), field.dtype) for name, field in spec.items()}
        batch["index"] = jnp.zeros(2, jnp.int32)
        views, _ = make_views(method, run_key, 0, batch)
        params, extra = method.init(init_key, views)
        # The barrier makes the teacher buffers of its own: donating one buffer twice is an error.
        teacher = jax.lax.optimization_barrier(method.teacher(params)) if method.teacher else {}
        step, recent = jnp.zeros((), jnp.int32), spikes.nothing_yet()
        return TrainState(step, params, teacher, tx.init(params), extra, recent, run_key)

    shapes = jax.eval_shape(build, key)
    whole = jax.tree.map(lambda _: P(), shapes)
    specs = whole.replace(
        **{name: sharding.layout(getattr(shapes, name), mesh, rules) for name in ("params", "teacher", "opt_state")}
    )
    return build, shapes, specs
