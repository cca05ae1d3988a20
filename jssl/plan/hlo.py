"""The text of a compiled program, read: its instructions, and how often each of them runs."""

import dataclasses
import functools
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Array", "Instruction", "Program", "arrays", "parse"]

_ARRAY = re.compile(r"\b([a-z]\w*?)\[([\d,<=]*)\](?:\{([^{}]*)\})?")
_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) .*\{$")
_LINE = re.compile(r"^ +(?:ROOT )?%?([\w.\-]+) = (.*)$")
_NAME = re.compile(r"%([\w.\-]+)")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
_COUNT = re.compile(r"[su]\d+\[\]")
_CALLED = re.compile(r"\b(?:calls|to_apply|body|condition|true_computation|false_computation)=%?([\w.\-]+)")
_BRANCHES = re.compile(r"\bbranch_computations=\{([^}]*)\}")
_REDUCERS = ("reduce", "reduce-window", "scatter", "sort", "map", "select-and-scatter")  # call what is a number's work
_BITS = {"pred": 8, "token": 0, "opaque": 0}


class Array(NamedTuple):
    """One array of a type.

    Attributes:
      shape: its dimensions, minor to major as written.
      size: in bytes, without what a layout pads.
      on_chip: whether it lives in memory other than the main one, such as a TPU's VMEM.
    """

    shape: tuple[int, ...]
    size: int
    on_chip: bool


@functools.lru_cache(maxsize=1 << 16)
def arrays(text: str) -> tuple[Array, ...]:
    """The arrays that a type as HLO writes it has: one, or those of a tuple.

    >>> arrays("(bf16[8,128]{1,0:T(8,128)(2,1)S(1)}, f32[])")
    (Array(shape=(8, 128), size=2048, on_chip=True), Array(shape=(), size=4, on_chip=False))
    """
    found = []
    for kind, dimensions, layout in _ARRAY.findall(text):
        shape = tuple(int(n.removeprefix("<=")) for n in dimensions.split(",") if n)
        found.append(Array(shape, -(-math.prod(shape) * _bits(kind) // 8), "S(" in layout))
    return tuple(found)


def _bits(kind: str) -> int:
    if kind in _BITS:
        return _BITS[kind]
    digits = re.search(r"\d+", kind)
    return int(digits[0]) if digits else 0


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One instruction: ``%name = type opcode(operands), attributes``."""

    name: str
    type: str
    opcode: str
    operands: tuple[str, ...]
    attributes: str

    @property
    def size(self) -> int:
        """Bytes of all that it gives."""
        return sum(array.size for array in arrays(self.type))

    def called(self) -> list[str]:
        """Names of the computations that it runs; those that reduce two numbers to one are no work of their own."""
        if self.opcode in _REDUCERS or "reduce" in self.opcode:
            return []
        names = _CALLED.findall(self.attributes)
        for branches in _BRANCHES.findall(self.attributes):
            names += _NAME.findall(branches)
        return names


class Execution(NamedTuple):
    """An instruction where it runs.

    Attributes:
      computation: that it is part of.
      instruction: itself.
      times: how often it runs in one step.
      fused: whether it is part of a fusion, whose values on the way are never written to memory.
    """

    computation: str
    instruction: Instruction
    times: int
    fused: bool


@dataclasses.dataclass(frozen=True)
class Program:
    """A compiled program.

    Attributes:
      computations: name -> its instructions by name, in order.
      entry: name of the one that runs.
    """

    computations: dict[str, dict[str, Instruction]]
    entry: str

    def runs(self) -> Iterator[Execution]:
        """Everything that runs; the body of a loop as often as it turns."""
        yield from self._runs(self.entry, 1, False)

    def _runs(self, name: str, times: int, fused: bool) -> Iterator[Execution]:
        for instruction in self.computations[name].values():
            yield Execution(name, instruction, times, fused)
            turns = self.trips(instruction) if instruction.opcode == "while" else 1
            inside = fused or instruction.opcode == "fusion"
            for called in instruction.called():
                yield from self._runs(called, times * turns, inside)

    def trips(self, loop: Instruction) -> int:
        """How often a loop turns: as the compiler noted it, or the number that its condition counts to; else 1."""
        if found := _TRIPS.search(loop.attributes):
            return int(found[1])
        condition = re.search(r"\bcondition=%?([\w.\-]+)", loop.attributes)
        limits: list[int] = []
        if condition:
            stack = [condition[1]]
            while stack:
                for instruction in self.computations[stack.pop()].values():
                    if instruction.opcode == "constant" and _COUNT.match(instruction.type):
                        limits.append(int(instruction.attributes))
                    stack += instruction.called()
        return max(limits, default=1)

    def operands(self, computation: str, instruction: Instruction) -> list[Instruction]:
        """The instructions whose values it takes."""
        known = self.computations[computation]
        return [known[name] for name in instruction.operands if name in known]


def parse(text: str) -> Program:
    """Reads ``compiled.as_text()``.

    >>> program = parse('''HloModule jit_f
    ... ENTRY %main (x: f32[4]) -> f32[4] {
    ...   %x = f32[4]{0} parameter(0)
    ...   ROOT %y = f32[4]{0} negate(%x)
    ... }
    ... ''')
    >>> [(run.instruction.opcode, run.times) for run in program.runs()]
    [('parameter', 1), ('negate', 1)]
    """
    computations: dict[str, dict[str, Instruction]] = {}
    entry, current = "", {}
    for line in text.splitlines():
        if line.endswith("{") and not line.startswith(" ") and (head := _HEAD.match(line)):
            current = computations.setdefault(head[2], {})
            entry = head[2] if head[1] else entry
        elif found := _LINE.match(line):
            current[found[1]] = _instruction(found[1], found[2])
    return Program(computations, entry)


def _instruction(name: str, rest: str) -> Instruction:
    end = _closing(rest, 0) + 1 if rest.startswith("(") else rest.index(" ")
    kind, rest = rest[:end], rest[end:].lstrip()
    opens = rest.index("(")
    closes = _closing(rest, opens)
    inside, attributes = rest[opens + 1 : closes], rest[closes + 1 :]
    if rest[:opens] in ("constant", "parameter"):  # what it holds, or its number, is kept as its attribute
        return Instruction(name, kind, rest[:opens], (), inside[:32])
    return Instruction(name, kind, rest[:opens], tuple(_NAME.findall(inside)), attributes)


def _closing(text: str, start: int) -> int:
    depth = 0
    for position in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if not depth:
            return position
    raise ValueError(f"no bracket closes in {text[:80]!r}")
