"""Several random views of every example, as a source: what linear probes of papers see."""

from typing import NamedTuple

import jax
import numpy as np

from jssl.data.source import Source

__all__ = ["Augmented", "Views"]


class Views(Source):
    """Every example ``count`` times: first all of them, then all again, each time with another ``view`` number.

    Args:
      source: the examples.
      count: how often.
      seed: of the views.

    >>> from jssl.evaluation.texts import Texts
    >>> views = Views(Texts(np.array([[5], [7]], np.int32)), 3, seed=1)
    >>> len(views), views[3]["captions"].item(), views[3]["view"].tolist()
    (6, 7, [1, 1, 1])
    """

    def __init__(self, source: Source, count: int, *, seed: int):
        self._source, self._count, self._seed = source, count, seed
        self.spec = {**source.spec, "view": jax.ShapeDtypeStruct((3,), np.dtype(np.uint32))}
        self.about = source.about

    def __len__(self):
        return self._count * len(self._source)

    def __getitem__(self, index):
        view, example = divmod(int(index), len(self._source))
        return {**self._source[example], "view": np.array([self._seed, view, example], np.uint32)}


class Augmented(NamedTuple):
    """A readout that prepares the examples of ``Views`` at random instead.

    Attributes:
      readout: whose ``prepare`` has ``augment``, (key, example) -> input.
    """

    readout: object

    def prepare(self, example):
        """The random view of one example."""
        seed, view, number = example["view"]
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), view), number)
        return self.readout.prepare.augment(key, {k: v for k, v in example.items() if k != "view"})  # type: ignore[attr-defined]

    @property
    def apply(self):
        """That of the readout."""
        return self.readout.apply  # type: ignore[attr-defined]
