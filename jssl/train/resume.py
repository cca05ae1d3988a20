"""Whether a run may go on from a checkpoint: it is the same run if data, method, optimiser, batch size and seed are.

Where the data lie, how they are fed, on which devices, and how long the run is to be does not make it another one.
"""

import logging

from ml_collections import ConfigDict

from jssl.config import complete, flatten
from jssl.differences import config_difference
from jssl.train import setup
from jssl.train.checkpoints import Checkpointer
from jssl.train.setup import Run

__all__ = ["resume"]

logger = logging.getLogger(__name__)

FREE = ("run.", "data.source", "data.feed", "data.options.", "fsdp", "tensor", "accumulate", "steps")
"""What may differ: keys, and sections by their dot. The data have a fingerprint; ``accumulate`` leaves the loss as it is,
or is refused."""


def resume(checkpoints: Checkpointer, state, config: ConfigDict, run: Run):
    """The newest whole checkpoint of this run; None when there is none.

    Args:
      checkpoints: of the workdir.
      state: the initial one, whose shapes and layout are taken.
      config: as it was given, its lengths perhaps in epochs or shares of the run.
      run: what was built from it.

    Raises:
      ValueError: the checkpoint is of another run, or of a later step than this one has.
    """
    restored = checkpoints.restore(setup.abstract(state), config=config.to_dict())
    if restored is None:
        return None
    state, meta, step = restored
    where = f"the checkpoint in {checkpoints.folder}"
    if meta["data"]["fingerprint"] != run.card.fingerprint:
        raise ValueError(f"{where} was trained on other data; use a new workdir")
    old = ConfigDict(complete(meta["config"]), type_safe=False)
    resolved = setup.resolve_lengths(old, run.card.num_examples)
    if changed := _changes(old, config, resolved, run.config):
        raise ValueError(f"{where} is of another config ({'; '.join(changed)}); use a new workdir")
    if step > run.config.steps:
        raise ValueError(f"{where} is at step {step}; steps={config.steps} ends before: use more, or a new workdir")
    if resolved.steps != run.config.steps:
        _tell_new_length(resolved, step, run)
    return state


def _changes(old: ConfigDict, new: ConfigDict, old_steps: ConfigDict, new_steps: ConfigDict) -> list[str]:
    """What makes two configs two runs. A length is the same if it is said alike, or comes to as many steps."""
    before, after = (flatten(config.to_dict()) for config in (old, new))
    counts = [flatten(config.to_dict()) for config in (old_steps, new_steps)]
    for name in before.keys() & after.keys():
        if type(counts[0][name]) is int and counts[0][name] == counts[1][name]:
            before[name] = after[name]

    def kept(config):
        return {name: value for name, value in config.items() if not _is_free(name)}

    return config_difference(kept(before), kept(after))


def _is_free(name: str) -> bool:
    return any(name.startswith(free) if free.endswith(".") else name == free for free in FREE)


def _tell_new_length(old: ConfigDict, step: int, run: Run) -> None:
    """One line: what follows the length of the run is no longer what it was at this step."""
    rates = [setup.make_rates(config, teacher=run.method.teacher is not None)(step) for config in (old, run.config)]
    moved = {name: (float(rates[0][name]), float(rates[1][name])) for name in rates[0]}
    lengths = [flatten(config.to_dict()) for config in (old, run.config)]
    moved |= {
        name: (lengths[0][name], lengths[1][name])
        for name in lengths[0]
        if type(lengths[0][name]) is int and name in lengths[1] and not _is_free(name)
    }
    told = [f"{name} {old:.4g} -> {new:.4g}" for name, (old, new) in moved.items() if old != new]
    follows = f"; this follows the length, from here on: {', '.join(told)}" if told else ""
    logger.warning("step %d, steps %d -> %d%s", step, old.steps, run.config.steps, follows)
