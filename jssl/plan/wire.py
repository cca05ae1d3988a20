"""Collectives of a compiled program: how often each kind runs, and the bytes that a device sends for it."""

import dataclasses
import math
import re

from jssl.plan.hlo import Instruction, Program, arrays

__all__ = ["KINDS", "Traffic", "traffic"]

KINDS = ("all-reduce", "reduce-scatter", "all-gather", "all-to-all", "collective-permute")

_LISTED = re.compile(r"replica_groups=\{\{([\d,]*)\}")
_COUNTED = re.compile(r"replica_groups=\[(\d+),(\d+)\]")
_NAMED = re.compile(r"replica_groups=mesh\[([^\]]*)\] ?\{([^}]*)\}")


@dataclasses.dataclass(frozen=True)
class Traffic:
    """All collectives of one kind, in one step.

    Attributes:
      kind: of ``KINDS``.
      count: how often such a collective runs.
      wire: bytes that one device sends, in a ring: of an array of ``n`` bytes among ``p`` devices (p - 1) / p n for an
        all-gather or a reduce-scatter, twice that for an all-reduce.
      largest: bytes of the largest array of one.
    """

    kind: str
    count: int
    wire: int
    largest: int


def traffic(program: Program, devices: int) -> dict[str, Traffic]:
    """Kind -> its traffic in one step of a program; kinds that do not occur are left out.

    Args:
      program: as compiled.
      devices: that run it.
    """
    found: dict[str, list[tuple[int, int, int]]] = {}
    for run in program.runs():
        opcode = run.instruction.opcode.removesuffix("-start")
        if opcode not in KINDS:
            continue
        parts = group_size(run.instruction.attributes, devices)
        size = _size(run.instruction, opcode) * (parts if opcode == "reduce-scatter" else 1)
        kind = opcode
        if opcode == "all-reduce" and "all-reduce-scatter" in run.computation:  # a TPU keeps a slice of the sum
            kind = "reduce-scatter"
        share = {"all-reduce": 2 * (parts - 1) / parts, "collective-permute": 1.0}.get(kind, (parts - 1) / parts)
        if parts > 1:
            found.setdefault(kind, []).append((run.times, round(size * share * run.times), size))
    return {
        kind: Traffic(kind, sum(n for n, _, _ in uses), sum(w for _, w, _ in uses), max(s for *_, s in uses))
        for kind, uses in sorted(found.items(), key=lambda item: KINDS.index(item[0]))
    }


def _size(instruction: Instruction, opcode: str) -> int:
    """Bytes of the whole array that a collective is about: what it gathers, sums or sends."""
    sizes = [array.size for array in arrays(instruction.type)]
    started = instruction.opcode.endswith("-start")
    if opcode == "collective-permute" and started:
        return sizes[0]
    # What has been started is a pair, what goes in and what comes out; but an all-reduce may be what comes out alone.
    if started and (opcode != "all-reduce" or instruction.type.startswith("((")):
        return sum(sizes[len(sizes) // 2 :])
    return sum(sizes)


def group_size(attributes: str, devices: int) -> int:
    """How many devices take part in a collective with each other, from its ``replica_groups``.

    >>> group_size("replica_groups={{0,1},{2,3}}", 4), group_size("replica_groups=[2,8]<=[16]", 16)
    (2, 8)
    >>> group_size("replica_groups=mesh['data'=4,'fsdp'=2] {'fsdp'}", 8), group_size("replica_groups={}", 8)
    (2, 8)
    """
    if found := _COUNTED.search(attributes):
        return int(found[2])
    if found := _LISTED.search(attributes):
        return found[1].count(",") + 1
    if found := _NAMED.search(attributes):
        sizes = {name.strip("' "): int(n) for name, n in (part.split("=") for part in found[1].split(","))}
        return math.prod(sizes[name.strip("' ")] for name in found[2].split(","))
    return devices
