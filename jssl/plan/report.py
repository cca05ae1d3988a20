"""A plan as text."""

import math

from jssl.plan.needs import Plan
from jssl.plan.search import told

__all__ = ["markdown", "size", "too_little"]


def size(number: float) -> str:
    """Bytes, as a person says them.

    >>> size(3 * 2**30), size(1500)
    ('3.00 GiB', '1.5 KiB')
    """
    for unit, name in ((2**30, "GiB"), (2**20, "MiB")):
        if number >= unit:
            return f"{number / unit:.2f} {name}"
    return f"{number / 2**10:.1f} KiB"


def markdown(plan: Plan) -> str:
    """A plan as Markdown: a headline, what a device holds, the work, the traffic, and the cost."""
    setting = ", ".join(f"{name} {value}" for name, value in plan.setting.items() if name != "batch_size")
    batch, devices = plan.setting["batch_size"], math.prod(plan.mesh.values())
    chips = "1 chip" if plan.chips == 1 else f"{plan.chips} chips"
    lines = [
        f"{plan.topology}: {chips}, batch {batch} ({int(batch) // devices} a device), {setting}",
        "",
        "| on each device | |",
        "| --- | --- |",
        *(f"| {name} | {size(value)} |" for name, value in plan.parts.items()),
        f"| **at the worst moment** | {size(plan.needed)}{_of(plan)} |",
        "",
        "| each step | |",
        "| --- | --- |",
        f"| model FLOPs | {plan.model:.3g} ({plan.model / int(batch):.3g} an example) |",
        f"| executed, views and optimiser included | {plan.executed:.3g} ({plan.executed / plan.model:.2f} x) |",
        f"| to and from memory, a device | {size(plan.moved)} |",
        *(
            f"| {kind}, {one.count} x, sent by a device | {size(one.wire)}, the largest {size(one.largest)} |"
            for kind, one in plan.traffic.items()
        ),
    ]
    if plan.roofline and plan.cost:
        least, cost = plan.roofline, plan.cost
        times = f"products {1e3 * least.products:.1f}, memory {1e3 * least.memory:.1f}, links {1e3 * least.wire:.1f}"
        lines += [
            f"| at the least | {1e3 * least.step:.1f} ms, bound by {least.bound} ({times}): MFU at most {least.mfu:.1%} |",
            "",
            "| the run | |",
            "| --- | --- |",
            f"| length | {plan.steps} steps, {plan.steps * int(batch) / plan.examples:.4g} epochs of {plan.examples} |",
            f"| at an MFU of {cost.mfu:.1%} | {1e3 * cost.step:.1f} ms a step, {int(batch) / cost.step:.0f} examples a "
            f"second, {cost.days:.2f} days, {cost.chip_hours:.0f} chip-hours |",
        ]
    return "\n".join(lines)


def _of(plan: Plan) -> str:
    if plan.memory is None:
        return ""
    return f" of {size(plan.memory)}: {'fits' if plan.fits else 'does not fit'}"


def too_little(name: str, topology: str, needed: int, memory: float, mended: tuple[dict, Plan] | None) -> str:
    """One line: that a run does not fit, and what would."""
    how_much = f"needs {size(needed)} a device" if needed else "does not fit"
    said = f"{name} {how_much}, {topology} has {size(memory)}"
    if mended is None:
        return f"{said}; no setting of fsdp, remat, accumulate or batch size helps: use more chips, or larger ones"
    changes, plan = mended
    return f"{said}; {told(changes)} fits, with {size(plan.needed)}"
