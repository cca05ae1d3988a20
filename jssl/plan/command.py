"""``jssl plan``: reads a recipe, plans it, and prints what was found."""

import json
import sys

import jax

from jssl.config import load_config
from jssl.plan import report, search
from jssl.plan.compiled import DoesNotFit
from jssl.plan.examples import foresee
from jssl.plan.needs import plan
from jssl.plan.topology import find

__all__ = ["plan_run"]


def plan_run(
    recipe: str,
    overrides: list[str],
    *,
    topology: str | None = None,
    mfu: float = 0.4,
    num_examples: int | None = None,
    largest: bool = False,
    as_json: bool = False,
) -> None:
    """Prints the plan of a recipe.

    Args:
      recipe, overrides: see ``jssl.config.load_config``.
      topology: see ``jssl.plan.topology.find``; None is what the recipe names.
      mfu: see ``jssl.plan.needs.plan``.
      num_examples: see ``jssl.plan.examples.foresee``.
      largest: look for the largest batch that fits, too; each that is tried is compiled.
      as_json: JSON instead of tables.

    Raises:
      ValueError: it cannot be planned, or does not fit: one line, with the cheapest setting that does.
    """
    jax.config.update("jax_platforms", "cpu")  # to plan takes no accelerator of this machine
    config = load_config(recipe, overrides)
    name = topology or config.run.hardware
    if not name:
        raise ValueError(f"{recipe} names no hardware; give --topology, such as v5e:4x4, h100:8 or cpu:8")
    where, card = find(name), foresee(config, num_examples)
    if where.options:
        jax.config.update(
            "jax_enable_compilation_cache", False
        )  # programs for GPUs that are not here cannot be read back
    if largest and where.chip is None:
        raise ValueError(
            f"--largest: the memory of {name} is not known; plan for a TPU slice or GPUs, such as v5e:4x4 or h100:8"
        )
    needed = 0
    try:
        found = plan(config, card, where, mfu=mfu)
    except DoesNotFit as error:
        found, needed = None, error.needed
    if found is None or not found.fits:
        assert where.chip is not None
        needed = found.needed if found else needed
        memory = where.chip.memory / where.chip.devices
        _say(f"{recipe} does not fit {name}; looking for the cheapest setting that does")
        mended = search.mend(config, card, where, needed, mfu=mfu, say=_say)
        raise ValueError(report.too_little(recipe, name, needed, memory, mended))
    best = search.largest_batch(config, card, where, found, mfu=mfu, say=_say) if largest else None
    if as_json:
        print(json.dumps({**found.to_json(), "largest_batch": best and best.setting["batch_size"]}, indent=1))
        return
    print(report.markdown(found))
    if best:
        print(
            f"\nThe largest batch that fits, by doubling: {best.setting['batch_size']}, with {report.size(best.needed)}"
        )


def _say(text: str) -> None:
    print(f"jssl: {text}", file=sys.stderr, flush=True)
