"""A trace of the profiler, read: which operations the time went to."""

import collections
import pathlib
import re
from typing import NamedTuple

import jax

from jssl.plan.hlo import Program

__all__ = ["Operation", "dearest"]

_SOURCE = re.compile(r'op_name="([^"]*)"')
_CONTAINERS = ("while", "conditional", "call")  # their time is that of what they run


class Operation(NamedTuple):
    """One operation of the compiled step.

    Attributes:
      name: in the program.
      source: where it comes from: modules and primitive, as far as the compiler kept them.
      milliseconds: of one step, on all devices and cores together.
      share: of the time of all operations.
    """

    name: str
    source: str
    milliseconds: float
    share: float


def dearest(folder: str | pathlib.Path, program: Program, *, steps: int, count: int = 10) -> list[Operation]:
    """The operations that took longest in a trace.

    Args:
      folder: what ``jax.profiler.trace`` wrote, of nothing but steps.
      program: the step's.
      steps: that were traced.
      count: how many.

    Raises:
      ValueError: there is no trace in the folder, or no operation in it.
    """
    files = sorted(pathlib.Path(folder).rglob("*.xplane.pb"), key=lambda file: file.stat().st_mtime)
    if not files:
        raise ValueError(f"{folder} holds no trace (*.xplane.pb)")
    known = {name: instruction for c in program.computations.values() for name, instruction in c.items()}
    spent: collections.Counter[str] = collections.Counter()
    for plane in jax.profiler.ProfileData.from_file(str(files[-1])).planes:
        for line in plane.lines:
            for event in line.events:
                name = _operation(plane, event)
                if name in known and known[name].opcode not in _CONTAINERS:
                    spent[name] += event.duration_ns / 1e6 / steps
    if not spent:
        raise ValueError(f"{files[-1]} names no operation of the step")
    total = sum(spent.values())
    return [Operation(name, _source(program, known[name]), ms, ms / total) for name, ms in spent.most_common(count)]


def _operation(plane, event) -> str | None:
    """The operation that an event is: on a GPU its kernel says so, elsewhere it bears the name."""
    if plane.name.startswith("/device:GPU"):
        return next((str(value) for key, value in event.stats if key == "hlo_op"), None)
    return event.name.partition(" = ")[0].lstrip("%")


def _source(program: Program, instruction) -> str:
    """Of a fusion that has none itself, that of the products in it, or of anything."""
    inside = [i for called in instruction.called() for i in program.computations[called].values()]
    inside.sort(key=lambda i: i.opcode not in ("dot", "convolution"))
    for one in (instruction, *inside):
        if found := _SOURCE.search(one.attributes):
            return found[1].removeprefix("jit(step)/").removeprefix("shard_map/")
    return instruction.opcode
