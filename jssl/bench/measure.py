"""A recipe's own step and feed, timed: apart, and together as in a run."""

import contextlib
import dataclasses
import pathlib
import statistics
import time
from collections.abc import Callable

import jax
from ml_collections import ConfigDict

from jssl.bench.ceiling import matmul_flops
from jssl.bench.trace import Operation, dearest
from jssl.data.card import Card
from jssl.plan import hlo
from jssl.plan.compiled import model_flops, peak_bytes
from jssl.train import setup

__all__ = ["Bench", "Times", "bench"]

UNTIMED = 2  # steps before each timing
PROFILED = 3  # steps in a trace


@dataclasses.dataclass(frozen=True)
class Times:
    """Milliseconds of each repetition of something.

    Attributes:
      median: of them.
      low: the quarter that is faster ends here.
      high: the quarter that is slower begins here.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Times":
        """Of at least two repetitions.

        >>> Times.of([0.001, 0.002, 0.003])
        Times(median=2.0, low=1.0, high=3.0)
        """
        low, median, high = (1e3 * q for q in statistics.quantiles(seconds, n=4))
        return cls(median, low, high)


@dataclasses.dataclass(frozen=True)
class Bench:
    """What was measured.

    Attributes:
      device: kind, and how many of them.
      batch_size: examples of a step.
      unit: what is counted: images, tokens, examples.
      per_step: such units in a step.
      compile_seconds: to trace and compile the step.
      together: a step of a run: the feed's batch and the update.
      step: the update alone, of a batch that is there.
      feed: the feed alone.
      peak: bytes of a device's memory at the worst moment of the step, as its compiler says.
      model: model FLOPs of a step.
      ceiling: of all devices, operations a second in large products.
      dearest: operations that took longest, where it was profiled.
    """

    device: str
    batch_size: int
    unit: str
    per_step: int
    compile_seconds: float
    together: Times
    step: Times
    feed: Times
    peak: int
    model: int
    ceiling: float
    dearest: list[Operation]

    @property
    def rate(self) -> float:
        """Units a second, as in a run."""
        return 1e3 * self.per_step / self.together.median

    @property
    def mfu(self) -> float:
        """Of the ceiling, as in a run."""
        return self.model / (1e-3 * self.together.median * self.ceiling)

    @property
    def bottleneck(self) -> str:
        """What a run waits for: the feed, where it takes longer than the step; else the step."""
        return "feed" if self.feed.median > self.step.median else "step"

    def to_json(self) -> dict:
        """As JSON."""
        derived = {name: getattr(self, name) for name in ("rate", "mfu", "bottleneck")}
        return {**dataclasses.asdict(self), "dearest": [one._asdict() for one in self.dearest], **derived}


def bench(config: ConfigDict, *, steps: int = 20, profile: str | pathlib.Path | None = None) -> Bench:
    """Times the step and the feed of a recipe on the devices at hand; nothing is written but the trace.

    Args:
      config: see ``jssl.config.default_config``.
      steps: that are timed, of each kind; at least 2.
      profile: takes a trace of a few steps more.

    Raises:
      ValueError: a config or data that does not fit.
    """
    if steps < 2:
        raise ValueError(f"steps={steps}: time at least 2")
    source = setup.open_data(config, "train")
    card = Card.of(source)
    run = setup.build(config, card)
    state, specs = run.init_state()
    step = run.make_step(specs)
    feed = setup.make_feed(config, source, run.mesh)
    with contextlib.closing(feed.iterate(0)) as batches:
        fed = _times(lambda: jax.block_until_ready(next(batches)), steps)
        batch = next(batches)
        began = time.perf_counter()
        compiled = step.lower(state, batch).compile()
        seconds = time.perf_counter() - began

        def update(batch):
            nonlocal state
            state, metrics = compiled(state, batch)
            return metrics

        alone = _times(lambda: jax.block_until_ready(update(batch)), steps)
        together = _in_a_row(lambda: update(next(batches)), steps)
        operations = []
        if profile is not None:
            with jax.profiler.trace(str(profile)):
                for _ in range(PROFILED):
                    jax.block_until_ready(update(batch))
            operations = dearest(profile, hlo.parse(compiled.as_text()), steps=PROFILED)
    device = run.mesh.devices.flat[0]
    unit, count = _unit(card)
    return Bench(
        device=f"{run.mesh.size} x {device.device_kind}",
        batch_size=config.data.batch_size,
        unit=unit,
        per_step=count * config.data.batch_size,
        compile_seconds=seconds,
        together=together,
        step=alone,
        feed=fed,
        peak=peak_bytes(compiled, device.platform),
        model=model_flops(config, card),
        ceiling=matmul_flops(run.mesh, config.dtype),
        dearest=operations,
    )


def _times(function: Callable, steps: int) -> Times:
    """Each call by itself."""
    seconds = []
    for _ in range(UNTIMED + steps):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return Times.of(seconds[UNTIMED:])


def _in_a_row(function: Callable, steps: int) -> Times:
    """Calls whose results are waited for one call late, as the loop does: the host is ahead of the devices."""
    ends, before = [], None
    for _ in range(UNTIMED + steps + 1):
        now = function()
        if before is not None:
            jax.block_until_ready(before)
            ends.append(time.perf_counter())
        before = now
    jax.block_until_ready(before)
    return Times.of([end - start for start, end in zip(ends[UNTIMED - 1 :], ends[UNTIMED:])])


def _unit(card: Card) -> tuple[str, int]:
    """What people count of such examples, and how many each has."""
    if "tokens" in card.spec:
        return "tokens", card.spec["tokens"].shape[0]
    units = {"image": "images", "video": "clips"}
    return next((unit for field, unit in units.items() if field in card.spec), "examples"), 1
