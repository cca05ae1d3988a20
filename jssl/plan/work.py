"""What a compiled program does on one device: operations of its products, and bytes to and from the main memory."""

import functools
import math
import re

from jssl.plan.hlo import Execution, Instruction, Program, arrays

__all__ = ["memory_bytes", "product_flops"]

_DIMS = re.compile(r"dim_labels=(\w+)_(\w+)->(\w+)")
_WINDOW = re.compile(r"window=\{([^}]*)\}")
_CONTRACTED = re.compile(r"lhs_contracting_dims=\{([\d,]*)\}")
_FREE = frozenset(
    "parameter constant tuple get-tuple-element bitcast while conditional call after-all partition-id copy-done".split()
)


def product_flops(program: Program) -> int:
    """Floating-point operations of all dots and convolutions in one step, two for each multiplication with its addition.

    What a convolution multiplies with its padding, or with the zeros between dilated elements, is left out. Custom calls
    count for nothing.
    """
    total = 0
    for run in program.runs():
        if run.instruction.opcode == "dot":
            total += run.times * _dot(program, run)
        elif run.instruction.opcode == "convolution":
            total += run.times * _convolution(program, run)
    return total


def _shape(instruction: Instruction) -> tuple[int, ...]:
    return arrays(instruction.type)[0].shape


def _dot(program: Program, run: Execution) -> int:
    left = _shape(program.operands(run.computation, run.instruction)[0])
    contracted = _CONTRACTED.search(run.instruction.attributes)
    over = math.prod(left[int(d)] for d in contracted[1].split(",") if d) if contracted else 1
    return 2 * math.prod(_shape(run.instruction)) * over


def _convolution(program: Program, run: Execution) -> int:
    labels = _DIMS.search(run.instruction.attributes)
    assert labels, run.instruction
    left, kernel = map(_shape, program.operands(run.computation, run.instruction)[:2])
    out = _shape(run.instruction)
    window = _WINDOW.search(run.instruction.attributes)
    options = dict(part.split("=") for part in window[1].split()) if window else {}
    pairs = 1
    for axis in range(len(left) - 2):
        size = left[labels[1].index(str(axis))]
        at = {name: values.split("x")[axis] for name, values in options.items()}
        low = int(at.get("pad", "0_0").split("_")[0])
        steps = {name: int(at.get(name, 1)) for name in ("stride", "lhs_dilate", "rhs_dilate")}
        span, taps = out[labels[3].index(str(axis))], kernel[labels[2].index(str(axis))]
        pairs *= _meetings(size, span, taps, low, **steps)
    batch, features = out[labels[3].index("b")], out[labels[3].index("f")]
    return 2 * pairs * batch * features * kernel[labels[2].index("i")]  # the kernel's input features are of one group


@functools.cache
def _meetings(size: int, span: int, taps: int, low: int, *, stride: int, lhs_dilate: int, rhs_dilate: int) -> int:
    """How many pairs of an output and a tap of the kernel fall on an element of the input, along one axis.

    >>> _meetings(4, 4, 3, 1, stride=1, lhs_dilate=1, rhs_dilate=1)  # width 3, padded by 1: the ends have 2
    10
    """
    last = (size - 1) * lhs_dilate
    count = 0
    for tap in range(taps):
        offset = tap * rhs_dilate - low
        if lhs_dilate == 1:  # outputs o with 0 <= o * stride + offset <= last
            first = max(0, -(offset // stride))
            count += max(0, min(span - 1, (last - offset) // stride) - first + 1)
        else:
            places = (o * stride + offset for o in range(span))
            count += sum(0 <= place <= last and place % lhs_dilate == 0 for place in places)
    return count


def memory_bytes(program: Program) -> int:
    """Bytes that one step reads from and writes to the main memory, as far as its instructions say.

    Every instruction that runs by itself reads its operands and writes its result; of an operand that it only slices, the
    slices. What lives in a memory on the chip is left out.
    """
    total = 0
    for run in program.runs():
        if not run.fused and run.instruction.opcode not in _FREE:
            total += run.times * _moved(program, run)
    return total


def _moved(program: Program, run: Execution) -> int:
    instruction = run.instruction
    if instruction.opcode.endswith("-start"):  # of a copy, or a slice, from one memory to another: (from, to, ...)
        parts = arrays(instruction.type)[:2]
        return sum(parts[-1].size for part in parts if not part.on_chip)
    if instruction.opcode.endswith("-done"):
        return 0
    operands = program.operands(run.computation, instruction)
    called = instruction.called() if instruction.opcode == "fusion" else []
    inside = program.computations[called[0]] if called else {}
    written = _main(instruction)
    if instruction.opcode in ("dynamic-slice", "slice"):
        return 2 * written
    if instruction.opcode == "dynamic-update-slice":
        return 2 * _main(operands[1])
    if not inside:
        return written + sum(map(_main, operands))
    parameters = sorted((i for i in inside.values() if i.opcode == "parameter"), key=lambda i: int(i.attributes))
    updated = {i.operands[0]: i for i in inside.values() if i.opcode == "dynamic-update-slice"}
    for place in updated.values():  # the rest of what it updates stays where it is
        written = min(written, written - place.size + 2 * inside[place.operands[1]].size)
    read = 0
    for operand, parameter in zip(operands, parameters):
        users = [i for i in inside.values() if parameter.name in i.operands]
        if parameter.name in updated:
            continue
        if users and all(i.opcode in ("dynamic-slice", "slice") for i in users):
            read += min(_main(operand), sum(i.size for i in users))
        else:
            read += _main(operand)
    return max(written, 0) + read


def _main(instruction: Instruction) -> int:
    return sum(array.size for array in arrays(instruction.type) if not array.on_chip)
