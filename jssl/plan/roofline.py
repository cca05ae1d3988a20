"""How fast a step can be at best, and what a run costs."""

import dataclasses

from jssl.plan.chips import Chip

__all__ = ["Cost", "Roofline", "cost", "roofline"]


@dataclasses.dataclass(frozen=True)
class Roofline:
    """The least time of a step, were everything to overlap: that of the resource that it needs longest.

    Attributes:
      products: seconds that dots and convolutions take at the chip's peak.
      memory: seconds that reading and writing its main memory takes.
      wire: seconds that its links take to send what its collectives send.
      mfu: model FLOPs utilisation that a step of that time has; no run can have a higher one.
    """

    products: float
    memory: float
    wire: float
    mfu: float

    @property
    def step(self) -> float:
        """Seconds of a step."""
        return max(self.products, self.memory, self.wire)

    @property
    def bound(self) -> str:
        """What takes longest."""
        times = {"products": self.products, "memory": self.memory, "links": self.wire}
        return max(times, key=lambda name: times[name])


def roofline(chip: Chip, chips: int, *, executed: int, moved: int, sent: int, model: int) -> Roofline:
    """The roofline of a step.

    Args:
      chip: of the devices.
      chips: how many.
      executed: floating-point operations of one device.
      moved: bytes to and from its main memory.
      sent: bytes that it sends.
      model: model FLOPs of the step, of all devices.

    >>> from jssl.plan.chips import CHIPS
    >>> least = roofline(CHIPS["v5e"], 4, executed=197 * 10**11, moved=10**9, sent=0, model=4 * 197 * 10**11)
    >>> least.step, least.bound, least.mfu
    (0.1, 'products', 1.0)
    """
    share = chip.devices  # each device has its part of the chip
    times = (executed * share / chip.flops, moved * share / chip.bandwidth, sent * share / chip.links)
    return Roofline(*times, mfu=model / (chips * chip.flops * max(*times)))


@dataclasses.dataclass(frozen=True)
class Cost:
    """A run at some utilisation.

    Attributes:
      mfu: that was assumed.
      step: seconds of a step.
      days: of the run.
      chip_hours: of the run.
    """

    mfu: float
    step: float
    days: float
    chip_hours: float


def cost(chip: Chip, chips: int, *, model: int, steps: int, mfu: float) -> Cost:
    """What a run costs.

    Args:
      chip: of the devices.
      chips: how many.
      model: model FLOPs of a step, of all devices.
      steps: of the run.
      mfu: model FLOPs utilisation.

    >>> from jssl.plan.chips import CHIPS
    >>> cost(CHIPS["v5e"], 16, model=16 * 197 * 10**11, steps=36_000, mfu=0.5).chip_hours
    32.0
    """
    step = model / (chips * chip.flops * mfu)
    return Cost(mfu, step, step * steps / 86_400, step * steps / 3600 * chips)
