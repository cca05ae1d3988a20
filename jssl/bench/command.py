"""``jssl bench``: times a recipe, and prints what was found."""

import json

import jax

from jssl.bench.measure import Bench, Times, bench
from jssl.config import load_config
from jssl.plan.report import size

__all__ = ["bench_run", "markdown"]


def bench_run(
    recipe: str, overrides: list[str], *, steps: int, profile: str | None = None, as_json: bool = False
) -> None:
    """Prints how fast a recipe is on the devices at hand.

    Args:
      recipe, overrides: see ``jssl.config.load_config``.
      steps, profile: see ``jssl.bench.measure.bench``.
      as_json: JSON instead of a table.
    """
    jax.config.update("jax_enable_compilation_cache", False)  # or the seconds to compile would be those to read a file
    found = bench(load_config(recipe, overrides), steps=steps, profile=profile)
    print(json.dumps(found.to_json(), indent=1) if as_json else markdown(recipe, found))


def markdown(recipe: str, found: Bench) -> str:
    """What was measured as Markdown."""
    lines = [
        f"{recipe} on {found.device}, batch {found.batch_size}",
        "",
        "| | |",
        "| --- | --- |",
        f"| {found.unit} a second | {found.rate:.4g} |",
        f"| step of a run, feed included | {_told(found.together)} |",
        f"| step alone | {_told(found.step)} |",
        f"| feed alone | {_told(found.feed)} |",
        f"| bottleneck | {found.bottleneck} |",
        f"| compiling | {found.compile_seconds:.1f} s |",
        f"| memory of a device at the worst moment | {size(found.peak)} |",
        f"| model FLOPs a step | {found.model:.3g} |",
        f"| ceiling of matrix products | {found.ceiling / 1e9:.4g} GFLOP/s |",
        f"| MFU, of that ceiling | {found.mfu:.1%} |",
    ]
    if found.dearest:
        lines += ["", "| operation | comes from | ms a step | share |", "| --- | --- | --- | --- |"]
        lines += [f"| {o.name} | {o.source[-90:]} | {o.milliseconds:.2f} | {o.share:.1%} |" for o in found.dearest]
    return "\n".join(lines)


def _told(times: Times) -> str:
    return f"{times.median:.4g} ms (quartiles {times.low:.4g} to {times.high:.4g})"
