"""The method record: which view, which model and which objective go together, as pure functions."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple


class Aux(NamedTuple):
    """What a loss returns beside its value.

    Attributes:
      updates: what this batch contributes to ``extra`` (new batch statistics, keys for the queue, a teacher mean);
        global, the same on every device.
      metrics: dict of float32 scalars.
      embedding: (B, D) features of this device's examples, watched for collapse.
    """

    updates: Any
    metrics: dict
    embedding: Any


@dataclasses.dataclass(frozen=True)
class Method:
    """A self-supervised method. The step, the loop, checkpoints and evaluation know nothing else of it.

    Attributes:
      name: the registry name.
      views: (key, example) -> views of one example. The example holds ``image`` (H, W, C) uint8, ``label``, ``index``
        and ``batch_key``, a key that all examples of the step share.
      init: (key, batched views) -> (params, extra).
      loss: (params, teacher, extra, views, keys, *, step, axis_name) -> (loss, Aux). ``keys`` is (B,), one per example,
        so that drop path and the like do not depend on the device count. The loss is the global mean.
      update_extra: (extra, updates) -> extra, once per update. Leaves of ``updates`` have a leading axis of
        micro-batches (of length one without accumulation): average statistics over it, concatenate keys along it.
      encode: (params, extra, images) -> (B, D) features: what people keep. ``images`` are normalised float32.
      teacher: params -> the subtree that the teacher tracks; None where there is no teacher.
      coupled: why gradient accumulation would change the loss, or "" where it is exact.
    """

    name: str
    views: Callable
    init: Callable
    loss: Callable
    update_extra: Callable
    encode: Callable
    teacher: Callable | None = None
    coupled: str = ""


def student(state) -> tuple[Any, Any]:
    """(params, extra) to encode with the trained network."""
    return state.params, state.extra


def teacher(state) -> tuple[Any, Any]:
    """(params, extra) to encode with the EMA teacher and the batch statistics of its own."""
    statistics = state.extra.get("teacher_batch_stats", state.extra.get("batch_stats", {}))
    return state.teacher, {**state.extra, "batch_stats": statistics}
