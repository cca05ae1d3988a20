"""The training step of a run, compiled ahead of time for devices that need not be there."""

import dataclasses
import math
import re
import time

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from jssl import sharding
from jssl.data.card import Card
from jssl.plan import flops, hlo
from jssl.plan.topology import Topology
from jssl.train import setup
from jssl.train.state import TrainState, abstract_state, make_views

__all__ = ["Compiled", "DoesNotFit", "Prospect", "compile_step", "lower_step", "model_flops", "peak_bytes", "prospect"]

_NEEDED = re.compile(r"\(?([\d.]+)([KMG])\)? exceeds")
_USED = re.compile(r"Used ([\d.]+)([KMG]) of")
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


class DoesNotFit(Exception):
    """The compiler found no way to run the step in the memory of a device.

    Attributes:
      needed: bytes that it asked for at the least; 0 where it did not say.
    """

    def __init__(self, needed: int):
        super().__init__(f"needs {needed} bytes")
        self.needed = needed


@dataclasses.dataclass(frozen=True)
class Prospect:
    """A run on a topology, of which nothing is computed.

    Attributes:
      run: see ``jssl.train.setup.build``; its mesh is over the topology's devices.
      state: abstract, with shardings.
      batch: abstract, with shardings.
      topology: the devices.
    """

    run: setup.Run
    state: TrainState
    batch: dict
    topology: Topology

    def held(self) -> dict[str, int]:
        """Bytes on one device, by what they are for: of the state, of a batch, and of the data set where it is resident."""
        config, spec = self.run.config, self.run.card.spec
        parts = {
            "parameters": self.state.params,
            "optimiser": self.state.opt_state,
            "teacher": self.state.teacher,
            "method state": (self.state.extra, self.state.recent, self.state.key, self.state.step),
            "inputs": self.batch,
        }
        found = {name: sum(map(_bytes, jax.tree.leaves(part))) for name, part in parts.items()}
        if config.data.feed == "resident":
            example = sum(math.prod(field.shape) * field.dtype.itemsize for field in spec.values())
            found["resident data set"] = self.run.card.num_examples * example
        return found


def prospect(config: ConfigDict, card: Card, topology: Topology) -> Prospect:
    """A run as it will be on a topology.

    Args:
      config: see ``jssl.config.default_config``.
      card: of the training data.
      topology: the devices.

    Raises:
      ValueError: whatever does not fit, in one line.
    """
    mesh = sharding.make_mesh(topology.devices, fsdp=config.fsdp, tensor=config.tensor)
    setup.check_share(config, mesh)
    run = setup.build(config, card, mesh=mesh)
    state = abstract_state(run.method, run.tx, run.key, card.spec, mesh)
    fields = {**card.spec, "index": jax.ShapeDtypeStruct((), jnp.int32)}
    placed, size = sharding.batch_sharding(mesh), config.data.batch_size
    batch = {
        name: jax.ShapeDtypeStruct((size, *field.shape), field.dtype, sharding=placed) for name, field in fields.items()
    }
    return Prospect(run, state, batch, topology)


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A compiled step.

    Attributes:
      program: as the compiler left it, of one device.
      peak: bytes of a device's memory at the worst moment; state and batch are part of it.
      seconds: it took to trace and compile.
    """

    program: hlo.Program
    peak: int
    seconds: float


def lower_step(planned: Prospect) -> jax.stages.Lowered:
    """The step of a run, traced and not compiled. It has the collectives that the step asks for by itself; which others there
    are, and what becomes of them, is the compiler's choice."""
    step = planned.run.make_step(jax.tree.map(lambda leaf: leaf.sharding.spec, planned.state))
    return step.lower(planned.state, planned.batch)


def compile_step(planned: Prospect) -> Compiled:
    """Compiles the step of a run.

    Raises:
      DoesNotFit: the compiler says that a device has too little memory for it.
    """
    began = time.perf_counter()
    lowered = lower_step(planned)
    try:
        compiled = lowered.compile(compiler_options=dict(planned.topology.options))
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        found = _USED.search(str(error)) or _NEEDED.search(str(error))
        raise DoesNotFit(int(float(found[1]) * _UNITS[found[2]]) if found else 0) from error
    platform = planned.topology.devices[0].platform
    return Compiled(hlo.parse(compiled.as_text() or ""), peak_bytes(compiled, platform), time.perf_counter() - began)


def peak_bytes(compiled, platform: str) -> int:
    """Bytes of a device's memory that a compiled program needs at the worst moment, its arguments among them.

    Args:
      compiled: ``jitted.lower(...).compile()``.
      platform: it was compiled for. A TPU's compiler gives the very figure; the others' leaves the temporaries out.
    """
    memory = compiled.memory_analysis()
    if platform == "tpu":
        return memory.peak_memory_in_bytes
    held = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    return held + memory.temp_size_in_bytes


def model_flops(config: ConfigDict, card: Card) -> int:
    """Model FLOPs of one step over the whole batch; see ``flops.of_training``.

    Args:
      config: see ``jssl.config.default_config``.
      card: of the training data.
    """
    run = setup.build(without_remat(config), card, mesh=sharding.make_mesh(jax.devices("cpu")[:1]))
    state = abstract_state(run.method, run.tx, run.key, card.spec, run.mesh)
    fields = {**card.spec, "index": jax.ShapeDtypeStruct((), jnp.int32)}
    size = config.data.batch_size
    batch = {name: jax.ShapeDtypeStruct((size, *field.shape), field.dtype) for name, field in fields.items()}
    views, keys = jax.eval_shape(lambda key, batch: make_views(run.method, key, 0, batch), state.key, batch)
    bare = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), state)
    return flops.of_training(run.method, bare.params, bare.teacher, bare.extra, views, keys)


def without_remat(config: ConfigDict) -> ConfigDict:
    """A copy of a config whose encoders compute nothing twice."""
    copy = ConfigDict(config.to_dict(), type_safe=False)
    for value in copy.method.values():
        if isinstance(value, ConfigDict) and "remat" in value:
            value.remat = "none"
    return copy


def _bytes(leaf) -> int:
    return math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
