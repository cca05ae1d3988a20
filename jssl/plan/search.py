"""The cheapest change that makes a run fit its devices, and the largest batch that does."""

import functools
from collections.abc import Callable, Iterator

from ml_collections import ConfigDict

from jssl.data.card import Card
from jssl.plan.compiled import DoesNotFit, prospect
from jssl.plan.needs import Plan, plan
from jssl.plan.topology import Topology

__all__ = ["largest_batch", "mend"]

REMAT = ("none", "dots", "full")  # cheapest first
Say = Callable[[str], None]


def mend(
    config: ConfigDict, card: Card, topology: Topology, needed: int, *, mfu: float, say: Say = print
) -> tuple[dict[str, int | str], Plan] | None:
    """The cheapest change of a run that does not fit, such that it does.

    In this order: the state on more devices (fsdp), which costs gathers; what is computed again instead of kept (remat);
    the batch in several parts (accumulate), where that changes nothing; a smaller batch. Each candidate is compiled, unless
    its state alone is too much, or the compiler has said how much is missing and that it saves less.

    Args:
      config: of the run.
      card: of the training data.
      topology: the devices.
      needed: bytes that the run needs on one of them; 0 if that is not known.
      mfu: see ``jssl.plan.needs.plan``.
      say: takes a line about each candidate.

    Returns:
      (the overrides, the plan with them), or None where nothing helps.
    """
    assert topology.chip is not None
    memory = topology.chip.memory / topology.chip.devices
    state_of = functools.cache(lambda fsdp, size: _state(config, card, topology, fsdp, size))
    began = state_of(config.fsdp, config.data.batch_size)
    for changes in _candidates(config, card, topology):
        changed = apply(config, changes)
        state = state_of(changed.fsdp, changed.data.batch_size)
        alone = set(changes) == {"fsdp"}  # saves that much and no more
        if state > memory or (alone and needed and needed - began + state > 1.05 * memory):
            continue
        say(f"trying {told(changes)}")
        try:
            found = plan(changed, card, topology, mfu=mfu)
        except DoesNotFit:
            continue
        if found.fits:
            return changes, found
    return None


def largest_batch(config: ConfigDict, card: Card, topology: Topology, fitting: Plan, *, mfu: float, say: Say) -> Plan:
    """The plan of the largest batch, among the doublings of a run's own, that fits.

    Args:
      config, card, topology, mfu, say: see ``mend``.
      fitting: the plan of the run as it is.
    """
    while 2 * config.data.batch_size <= card.num_examples:
        config = apply(config, {"data.batch_size": 2 * config.data.batch_size})
        say(f"trying a batch of {config.data.batch_size}")
        try:
            larger = plan(config, card, topology, mfu=mfu)
        except DoesNotFit:
            break
        if not larger.fits:
            break
        fitting = larger
    return fitting


def apply(config: ConfigDict, changes: dict[str, int | str]) -> ConfigDict:
    """A copy of a config with other values of dotted keys."""
    copy = ConfigDict(config.to_dict(), type_safe=False)
    for key, value in changes.items():
        *path, last = key.split(".")
        section = copy
        for part in path:
            section = section[part]
        section[last] = value
    return copy


def told(changes: dict[str, int | str]) -> str:
    """Changes as the command takes them."""
    return " ".join(f"--config.{key}={value}" for key, value in changes.items())


def _candidates(config: ConfigDict, card: Card, topology: Topology) -> Iterator[dict[str, int | str]]:
    devices, share = len(topology.devices) // config.tensor, config.fsdp
    shares = [n for n in (share * 2**k for k in range(1, 12)) if n <= devices and devices % n == 0]
    yield from ({"fsdp": n} for n in shares)
    widest: dict[str, int | str] = {"fsdp": shares[-1]} if shares else {}
    encoder = config.method.get("encoder", {})
    if str(encoder.get("name", "")).startswith(("vit", "transformer")):
        for remat in REMAT[REMAT.index(encoder.get("remat", "none")) + 1 :]:
            yield {"method.encoder.remat": remat}
            if widest:
                yield {**widest, "method.encoder.remat": remat}
        widest["method.encoder.remat"] = REMAT[-1]
    planned = prospect(config, card, topology)
    coupled = planned.run.method.coupled or planned.state.extra.get("batch_stats")
    size = config.data.batch_size
    for parts in (2, 4, 8, 16):
        if size % (devices * config.accumulate * parts) == 0 and not coupled:
            yield {**widest, "accumulate": config.accumulate * parts}
    for parts in (2, 4, 8, 16, 32, 64):
        if size % (devices * config.accumulate * parts) == 0:
            yield {**widest, "data.batch_size": size // parts}


def _state(config: ConfigDict, card: Card, topology: Topology, fsdp: int, size: int) -> int:
    """Bytes of a device that do not depend on what the compiler does."""
    changed = apply(config, {"fsdp": fsdp, "data.batch_size": size, "accumulate": 1})
    return sum(prospect(changed, card, topology).held().values())
