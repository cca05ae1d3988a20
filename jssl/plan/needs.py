"""What a run needs: memory, work and traffic of its step, the least time that takes, and what the whole run costs."""

import dataclasses

from ml_collections import ConfigDict

from jssl.data.card import Card
from jssl.plan import work
from jssl.plan.compiled import Compiled, Prospect, compile_step, model_flops, prospect
from jssl.plan.roofline import Cost, Roofline, cost, roofline
from jssl.plan.topology import Topology
from jssl.plan.wire import Traffic, traffic

__all__ = ["Plan", "plan"]


@dataclasses.dataclass(frozen=True)
class Plan:
    """A run on a topology, foreseen.

    Attributes:
      topology: its name.
      chips: of the topology.
      mesh: axis -> devices.
      setting: what changes the memory that a step takes: batch_size, accumulate, remat.
      steps: of the run.
      examples: in the training data.
      needed: bytes of a device's memory at the worst moment.
      memory: bytes that a device has; None for a CPU, where all share what there is.
      parts: what is held of ``needed``: name -> bytes. The last, activations, is what remains: gradients and workspace too.
      model: model FLOPs of a step, of all devices.
      executed: floating-point operations that all devices do in it, views and optimiser and what is computed twice included.
      moved: bytes that a device reads from and writes to its memory.
      traffic: collectives by kind, of one device.
      roofline: the least time of a step; None for a CPU.
      cost: of the run, at the utilisation asked for, or at the roofline's where that is lower; None for a CPU.
      seconds: compiling took.
    """

    topology: str
    chips: int
    mesh: dict[str, int]
    setting: dict[str, int | str]
    steps: int
    examples: int
    needed: int
    memory: int | None
    parts: dict[str, int]
    model: int
    executed: int
    moved: int
    traffic: dict[str, Traffic]
    roofline: Roofline | None
    cost: Cost | None
    seconds: float

    @property
    def fits(self) -> bool:
        """Whether a device's memory is enough."""
        return self.memory is None or self.needed <= self.memory

    @property
    def wire(self) -> int:
        """Bytes that a device sends in a step."""
        return sum(kind.wire for kind in self.traffic.values())

    def to_json(self) -> dict:
        """As JSON."""
        least = self.roofline and {
            **dataclasses.asdict(self.roofline),
            "step": self.roofline.step,
            "bound": self.roofline.bound,
        }
        return {**dataclasses.asdict(self), "fits": self.fits, "wire": self.wire, "roofline": least}


def plan(config: ConfigDict, card: Card, topology: Topology, *, mfu: float = 0.4) -> Plan:
    """Compiles the training step of a run for a topology and reads off what it needs.

    Args:
      config: see ``jssl.config.default_config``.
      card: of the training data, see ``jssl.plan.examples.foresee``.
      topology: see ``jssl.plan.topology.find``.
      mfu: model FLOPs utilisation that the cost is told for, in (0, 1].

    Raises:
      ValueError: whatever does not fit together, in one line.
      DoesNotFit: the compiler says that a device has too little memory.
    """
    if not 0 < mfu <= 1:
        raise ValueError(f"mfu={mfu}: give the share of the peak that is reached, such as 0.4")
    planned = prospect(config, card, topology)
    return read(planned, compile_step(planned), model_flops(config, card), mfu=mfu)


def read(planned: Prospect, compiled: Compiled, model: int, *, mfu: float) -> Plan:
    """The plan of a step that was compiled; see ``plan``."""
    config, topology = planned.run.config, planned.topology
    devices = len(topology.devices)
    parts = planned.held()
    needed = compiled.peak + parts.get("resident data set", 0)
    parts["activations"] = max(0, needed - sum(parts.values()))
    executed, moved = work.product_flops(compiled.program), work.memory_bytes(compiled.program)
    sent = traffic(compiled.program, devices)
    least = costs = None
    if topology.chip is not None:
        least = roofline(
            topology.chip,
            topology.chips,
            executed=executed,
            moved=moved,
            sent=sum(kind.wire for kind in sent.values()),
            model=model,
        )
        costs = cost(topology.chip, topology.chips, model=model, steps=config.steps, mfu=min(mfu, least.mfu))
    return Plan(
        topology=topology.name,
        chips=topology.chips,
        mesh=dict(planned.run.mesh.shape),
        setting=setting(config),
        steps=config.steps,
        examples=planned.run.card.num_examples,
        needed=needed,
        memory=topology.chip and int(topology.chip.memory / topology.chip.devices),
        parts=parts,
        model=model,
        executed=executed * devices,
        moved=moved,
        traffic=sent,
        roofline=least,
        cost=costs,
        seconds=compiled.seconds,
    )


def setting(config: ConfigDict) -> dict[str, int | str]:
    """What of a config decides how much memory a step takes."""
    encoder = config.method.get("encoder", {})
    return {
        "batch_size": config.data.batch_size,
        "fsdp": config.fsdp,
        **({"tensor": config.tensor} if config.tensor > 1 else {}),
        "accumulate": config.accumulate,
        "remat": encoder.get("remat", "none"),
    }
