"""The method record: which view, which model and which objective go together, as pure functions."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax


class Aux(NamedTuple):
    """What a loss returns beside its value.

    Attributes:
      updates: what this batch contributes to ``extra`` (new batch statistics, keys for the queue, a new centre); global,
        the same on every device.
      metrics: dict of float32 scalars.
      embedding: (B, D) features of this device's examples, watched for collapse.
    """

    updates: Any
    metrics: dict
    embedding: Any


class Readout(NamedTuple):
    """How people use what was learned. All that is read off a run goes through one.

    Attributes:
      prepare: example -> network input, deterministic; one example, vmapped on the device.
      apply: (params, extra, inputs) -> ``jssl.models.Features`` of a batch of them.
    """

    prepare: Callable
    apply: Callable


class Show(NamedTuple):
    """What a method predicts, for people to look at.

    Attributes:
      caption: what the pictures are, in their order.
      apply: (params, teacher, extra, views) -> a tuple of arrays, one picture per example in each: (B, H, W, C), normalised as the
        views are, or (B, T, H, W, C), a clip, or (B, h, w), a map of the patches.
    """

    caption: str
    apply: Callable


def mean_over_micro_batches(extra: dict, updates: dict) -> dict:
    """The usual ``update_extra``: each entry is replaced by the mean of what the micro-batches contributed.

    >>> mean_over_micro_batches({"center": 0.0, "other": 1.0}, {"center": jax.numpy.array([2.0, 4.0])})
    {'center': Array(3., dtype=float32), 'other': 1.0}
    """
    return {**extra, **jax.tree.map(lambda x: x.mean(0), updates)}


@dataclasses.dataclass(frozen=True)
class Method:
    """A self-supervised method. The step, the loop, checkpoints and evaluation know nothing else of it.

    Attributes:
      name: the registry name.
      fields: what an example must hold.
      views: (key, example) -> views of one example; the step vmaps it. Beside the source's fields the example holds
        ``index`` and ``batch_key``, a key that all examples of the step share.
      init: (key, batched views) -> (params, extra).
      loss: (params, teacher, extra, views, keys, *, step, axis_name) -> (loss, Aux). ``keys`` is (B,), one per example,
        so that drop path and the like do not depend on the device count. The loss is the global mean.
      readouts: name -> Readout; the first is the default.
      update_extra: (extra, updates) -> extra, once per update. Leaves of ``updates`` have a leading axis of
        micro-batches (of length one without accumulation).
      teacher: params -> the subtree that the EMA teacher tracks; None where there is no teacher.
      coupled: why gradient accumulation would change the loss, or "". Batch norm need not be named here: the step sees
        the statistics in ``extra``.
      fewest: examples of a batch below which the loss says nothing: 2 where examples are compared with each other.
      reads_teacher: the paper evaluates the EMA teacher, not the student.
      reads: protocol -> the features that the paper gives it, see ``jssl.evaluation.selection``; pooled where it has no entry.
      shows: title -> Show, for ``jssl report``.
    """

    name: str
    fields: frozenset[str]
    views: Callable
    init: Callable
    loss: Callable
    readouts: Mapping[str, Readout]
    update_extra: Callable = mean_over_micro_batches
    teacher: Callable | None = None
    coupled: str = ""
    fewest: int = 1
    reads_teacher: bool = False
    reads: Mapping[str, str] = dataclasses.field(default_factory=dict)
    shows: Mapping[str, Show] = dataclasses.field(default_factory=dict)


def weights(state, *, teacher: bool = False) -> tuple[Any, Any]:
    """(params, extra) that a readout takes: those of the student, or of its EMA teacher with statistics of its own."""
    if not teacher:
        return state.params, state.extra
    statistics = state.extra.get("teacher_batch_stats", state.extra.get("batch_stats", {}))
    return state.teacher, {**state.extra, "batch_stats": statistics}
