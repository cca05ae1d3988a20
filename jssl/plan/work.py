"""What a compiled program does on one device: operations of its products, and bytes to and from the main memory."""

import functools
import math
import re

from jssl.plan.hlo import Execution, Instruction, Program, arrays
from jssl.plan.wire import KINDS

__all__ = ["memory_bytes", "product_flops"]

_DIMS = re.compile(r"dim_labels=(\w+)_(\w+)->(\w+)")
_WINDOW = re.compile(r"window=\{([^}]*)\}")
_CONTRACTED = re.compile(r"lhs_contracting_dims=\{([\d,]*)\}")
_CONTRACTED_BY_CUBLAS = re.compile(r'"lhs_contracting_dimensions":\[([\d,"]*)\]')
_LIBRARY = re.compile(r'custom_call_target="__((?:cublas|cudnn)\$[^"]*)"')
_GEMM = ("cublas$gemm", "cublas$lt$matmul")
_RELABELS = re.compile(r'custom_call_target="(ConcatBitcast|AssumeGatherIndicesInBound)"')  # of TPUs: nothing moves
_SLICES = ("dynamic-slice", "slice")
_FREE = frozenset(
    "parameter constant tuple get-tuple-element bitcast while conditional call after-all partition-id copy-done".split()
)


def product_flops(program: Program) -> int:
    """Floating-point operations of all dots and convolutions in one step, two for each multiplication with its addition.

    What a convolution multiplies with its padding, or with the zeros between dilated elements, is left out. Calls of cuBLAS
    and of cuDNN's convolutions are counted like what they stand for; other custom calls count for nothing.
    """
    return sum(run.times * _products(program, run) for run in program.runs())


def _products(program: Program, run: Execution) -> int:
    instruction = run.instruction
    library = _LIBRARY.search(instruction.attributes) if instruction.opcode == "custom-call" else None
    name = library[1] if library else instruction.opcode
    if not name.startswith(("dot", "convolution", *_GEMM, "cudnn$conv")):
        return 0
    first, second = map(_shape, program.operands(run.computation, instruction)[:2])
    if name == "dot":
        return _dot(instruction, first, _CONTRACTED)
    if name.startswith(_GEMM):
        return _dot(instruction, first, _CONTRACTED_BY_CUBLAS)
    # cuDNN's window and labels are those of the forward pass, which a gradient takes the place of an operand in.
    if name == "cudnn$convBackwardInput":
        return _convolution(instruction, _shape(instruction), second, first)
    if name == "cudnn$convBackwardFilter":
        return _convolution(instruction, first, _shape(instruction), second)
    return _convolution(instruction, first, second, _shape(instruction))


def _shape(instruction: Instruction) -> tuple[int, ...]:
    return arrays(instruction.type)[0].shape


def _dot(instruction: Instruction, left: tuple, axes: re.Pattern) -> int:
    contracted = axes.search(instruction.attributes)
    over = math.prod(left[int(d)] for d in contracted[1].replace('"', "").split(",") if d) if contracted else 1
    return 2 * math.prod(_shape(instruction)) * over


def _convolution(instruction: Instruction, left: tuple, kernel: tuple, out: tuple) -> int:
    labels = _DIMS.search(instruction.attributes)
    assert labels, instruction
    window = _WINDOW.search(instruction.attributes)
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
    slices, and of one that it updates in place, the update. What lives in a memory on the chip is left out.
    """
    total = 0
    for run in program.runs():
        if not run.fused and run.instruction.opcode not in _FREE and not _RELABELS.search(run.instruction.attributes):
            total += run.times * _moved(program, run)
    return total


def _moved(program: Program, run: Execution) -> int:
    instruction, kind = run.instruction, run.instruction.opcode
    operands = program.operands(run.computation, instruction)
    if kind.endswith("-start"):
        parts = arrays(instruction.type)
        if kind.removesuffix("-start") in KINDS and instruction.type.startswith("(("):  # ((from, ...), to, ...)
            return sum(part.size for part in parts if not part.on_chip)
        # of a copy, or a slice, from one memory to another: (from, to, ...)
        return sum(parts[:2][-1].size for part in parts[:2] if not part.on_chip)
    if kind.endswith("-done"):
        return 0
    if kind in _SLICES:
        return 2 * _main(instruction)
    if kind == "dynamic-update-slice":
        return 2 * _main(operands[1])
    if instruction.type.startswith("(") and _LIBRARY.search(
        instruction.attributes
    ):  # gives room to work in, too, as its last
        return sum(array.size for array in arrays(instruction.type)[:-1]) + sum(map(_main, operands))
    if kind != "fusion":
        return _main(instruction) + sum(map(_main, operands))
    (called,) = instruction.called()
    read = sum(min(_main(operand), _read(program, called, number)) for number, operand in enumerate(operands))
    results = zip(arrays(instruction.type), _results(program, called))
    return read + sum(min(array.size, written) for array, written in results if not array.on_chip)


def _read(program: Program, computation: str, number: int) -> int:
    """Bytes of the ``number``-th parameter that a fused computation reads."""
    inside = program.computations[computation]
    parameter = next(i for i in inside.values() if i.opcode == "parameter" and int(i.attributes) == number)
    total, names = 0, [parameter.name]
    while names:
        name = names.pop()
        for user in inside.values():
            if name not in user.operands:
                continue
            if user.opcode in _SLICES:
                total += user.size
            elif user.opcode == "bitcast":
                names.append(user.name)
            elif user.opcode == "fusion":
                places = [place for place, operand in enumerate(user.operands) if operand == name]
                total += sum(_read(program, user.called()[0], place) for place in places)
            elif user.opcode != "dynamic-update-slice" or name != user.operands[0]:
                return parameter.size
    return total


def _results(program: Program, computation: str) -> list[int]:
    """Bytes that a fused computation writes of each of its results."""
    inside = program.computations[computation]

    def written(one: Instruction) -> int:
        if one.opcode == "dynamic-update-slice":
            return inside[one.operands[1]].size
        if one.opcode == "bitcast" and one.operands[0] in inside:
            return written(inside[one.operands[0]])
        if one.opcode == "fusion":
            return sum(_results(program, one.called()[0]))
        return one.size

    root = list(inside.values())[-1]
    return [written(inside[name]) for name in root.operands] if root.opcode == "tuple" else [written(root)]


def _main(instruction: Instruction) -> int:
    return sum(array.size for array in arrays(instruction.type) if not array.on_chip)
