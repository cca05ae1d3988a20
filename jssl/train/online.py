"""What a run says of itself on examples that it does not train on: its own loss, collapse measures, and k-NN on labels."""

import functools
import logging

import jax
import numpy as np

from jssl import methods, sharding
from jssl.data import Source, stack
from jssl.diagnostics import collapse
from jssl.diagnostics.watch import Watch
from jssl.evaluation import extract, knn
from jssl.train.log import Collapsed
from jssl.train.state import make_views

logger = logging.getLogger(__name__)


class OnlineEvaluation:
    """Evaluates a state on a fixed random subset of each split.

    The online k-NN is a cheap estimate on a small bank; ``jssl evaluate`` gives the figure to quote.

    Args:
      run: see ``jssl.train.setup.build``.
      train: the bank of the k-NN.
      held_out: the queries, and the examples that the loss is taken of; None where the data has none: then there are no
        figures.
    """

    def __init__(self, run, train: Source, held_out: Source | None):
        self._idle = held_out is None
        if held_out is None:
            return
        options = run.config.run
        self._run, self._train, self._held_out = run, train, held_out
        self._bank = subset(len(train), options.online_bank)
        self._queries = subset(len(held_out), options.online_queries)
        self._sharding, self._parts = sharding.batch_sharding(run.mesh), sharding.shares(run.mesh)
        self._batch = min(run.config.data.batch_size, len(self._queries)) // self._parts * self._parts
        self._loss = jax.jit(self._held_out_loss)

    def __call__(self, state) -> dict:
        """Returns ``eval/...`` metrics."""
        if self._idle:
            return {}
        figures = {f"eval/{name}": value for name, value in self._losses(state).items()}
        readout = next(iter(self._run.method.readouts.values()))
        variables = methods.weights(state)
        bank, queries = (
            extract(readout, variables, source, indices=rows, sharding=self._sharding) if rows is not None else None
            for source, rows in ((self._train, self._bank if self._labels else None), (self._held_out, self._queries))
        )
        figures |= {f"eval/{name}": value for name, value in collapse.summary(queries).items()}
        if self._labels:
            of_bank, of_queries = self._labels
            predicted = knn.predict(bank, of_bank, queries, num_classes=self._train.about.num_classes, k=20)
            figures["eval/knn"] = float(np.mean(predicted == of_queries))
        return figures

    @functools.cached_property
    def _labels(self) -> tuple[np.ndarray, ...]:
        """Of the bank and of the queries; empty where there are none. Read when they are asked for: it takes a while."""
        if not ("label" in self._train.spec and "label" in self._held_out.spec):
            return ()
        parts = (self._train, self._bank), (self._held_out, self._queries)
        return tuple(stack(source, rows)["label"] for source, rows in parts)

    def _losses(self, state) -> dict[str, float]:
        """Means of the loss, and of the method's own metrics, over whole batches: the loss of some methods depends on their
        size."""
        if not self._batch:
            return {}
        found = []
        for start in range(0, len(self._queries) - self._batch + 1, self._batch):
            rows = self._queries[start : start + self._batch]
            arrays = {**stack(self._held_out, rows), "index": rows.astype(np.int32)}
            batch = {name: sharding.place(array, self._sharding) for name, array in arrays.items()}
            found.append(jax.device_get(self._loss(state, batch)))
        return {name: float(np.mean([row[name] for row in found])) for name in found[0]}

    def _held_out_loss(self, state, batch):
        # The same crops and masks at every evaluation: what changes is the network alone.
        method = self._run.method
        views, keys = make_views(method, self._run.key, 0, batch)
        value, aux = method.loss(state.params, state.teacher, state.extra, views, keys, step=state.step, axis_name=None)
        return {"loss": value, **aux.metrics}


def check_collapse(watch: Watch, figures: dict, step: int, *, stop: bool) -> None:
    """Warns of a collapse that the figures of an evaluation show.

    Args:
      watch: has seen the earlier evaluations.
      figures: from ``OnlineEvaluation``.
      step: updates done.
      stop: whether a second evaluation in a row ends the run. The first does not: some networks start with much the same
        features for all examples.

    Raises:
      Collapsed: it is to end.
    """
    told = watch({name.removeprefix("eval/"): value for name, value in figures.items()})
    if not told:
        return
    told = f"step {step}: {told}"
    if stop and watch.in_a_row > 1:
        raise Collapsed(
            f"{told}; the second evaluation in a row; jssl diagnose tells more, --config.run.on_collapse=warn goes on"
        )
    logger.warning("%s; jssl diagnose tells more", told)


def subset(length: int, limit: int) -> np.ndarray:
    """The rows of a fixed random subset, ascending: folders are sorted by class, so the first examples would be of one."""
    return np.sort(np.random.default_rng(0).permutation(length)[:limit])
