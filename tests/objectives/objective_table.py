"""The table that the contract suite runs over: one row per objective (and per option that changes its code path)."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import numpy as np

from jssl import objectives


@dataclasses.dataclass(frozen=True)
class Row:
    """How to call an objective, and what is promised of it."""

    function: Callable  # (*arrays, axis_name=None) -> scalar
    make: Callable  # (generator, batch) -> tuple of arrays
    batch_axes: tuple  # per array: its batch axis, None if it is the same on every device
    differentiable: tuple[int, ...]  # arrays that get a gradient
    stopped: tuple[int, ...] = ()  # arrays that must not
    swap: tuple[int, ...] | None = None  # an order of the arrays that leaves the value unchanged: is it symmetric?
    mean_over_examples: bool = True  # the mean of two half batches is the whole: accumulation is exact

    @functools.cached_property
    def value_and_grads(self):
        """Jitted loss and gradients of *all* arrays, compiled once for the whole suite."""
        return jax.jit(jax.value_and_grad(self.function, tuple(range(len(self.batch_axes)))))


def _vectors(count, *more):
    def make(generator, batch):
        arrays = tuple(generator.normal(size=(batch, 8)).astype(np.float32) for _ in range(count))
        return arrays + tuple(generator.normal(size=shape).astype(np.float32) for shape in more)

    return make


def _dino(generator, batch):
    student, teacher = generator.normal(size=(4, batch, 12)), generator.normal(size=(2, batch, 12))
    return tuple(x.astype(np.float32) for x in (student, teacher, generator.normal(size=12)))


def _mae(generator, batch):
    prediction, target = generator.normal(size=(2, batch, 9, 12)).astype(np.float32)
    mask = np.argsort(generator.normal(size=(batch, 9)), axis=1) < 6
    return prediction, target, mask.astype(np.float32)


def _jepa(generator, batch):
    return tuple((2.0 * generator.normal(size=(2, batch, 4, 3, 8))).astype(np.float32))


def _jepa_weighted(generator, batch):
    # The first token always counts, the others for some examples only.
    weights = generator.uniform(size=(batch, 4, 3)) < 0.6
    weights[:, 0, 0] = True
    return *_jepa(generator, batch), weights.astype(np.float32)


def _weighted_jepa_loss(prediction, target, weights, *, axis_name=None):
    return objectives.jepa_loss(prediction, target, weights=weights, beta=0.5, axis_name=axis_name)


def _queue_loss(queries, keys, negatives, *, axis_name=None):
    return objectives.info_nce(queries, keys, negatives=negatives, temperature=0.2, axis_name=axis_name)


_dino_loss = functools.partial(objectives.dino_loss, student_temperature=0.1, teacher_temperature=0.04)

TABLE = {
    "info_nce": Row(
        functools.partial(objectives.info_nce, temperature=0.2), _vectors(2), (0, 0), (0, 1), mean_over_examples=False
    ),
    "info_nce queue": Row(_queue_loss, _vectors(2, (6, 8)), (0, 0, None), (0,), (1, 2)),
    "nt_xent": Row(
        functools.partial(objectives.nt_xent, temperature=0.2),
        _vectors(2),
        (0, 0),
        (0, 1),
        swap=(1, 0),
        mean_over_examples=False,
    ),
    "nt_xent chunked": Row(  # 3 divides no number of anchors below, so that padding is met
        functools.partial(objectives.nt_xent, temperature=0.2, chunk_size=3),
        _vectors(2),
        (0, 0),
        (0, 1),
        swap=(1, 0),
        mean_over_examples=False,
    ),
    "moco_v3_loss": Row(
        functools.partial(objectives.moco_v3_loss, temperature=0.2),
        _vectors(4),
        (0, 0, 0, 0),
        (0, 1),
        (2, 3),
        swap=(1, 0, 3, 2),
        mean_over_examples=False,
    ),
    "dino_loss": Row(_dino_loss, _dino, (1, 1, None), (0,), (1, 2)),
    "mae_loss": Row(functools.partial(objectives.mae_loss, normalize_targets=False), _mae, (0, 0, 0), (0, 1)),
    "mae_loss normalized": Row(functools.partial(objectives.mae_loss, normalize_targets=True), _mae, (0, 0, 0), (0, 1)),
    "jepa_loss": Row(objectives.jepa_loss, _jepa, (0, 0), (0,), (1,)),
    "jepa_loss weighted": Row(_weighted_jepa_loss, _jepa_weighted, (0, 0, 0), (0,), (1,)),
}
