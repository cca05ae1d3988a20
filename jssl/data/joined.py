"""The whole of a data set that has its examples in two splits."""

import bisect
import hashlib
import itertools
from collections.abc import Callable, Sequence

from jssl.data.source import NoSplit, Source

__all__ = ["Joined", "whole"]


class Joined(Source):
    """The examples of several sources, one after the other.

    Args:
      parts: at least one, all of one spec.

    Raises:
      ValueError: if their specs differ.
    """

    def __init__(self, parts: Sequence[Source]):
        specs = [dict(part.spec) for part in parts]
        if any(spec != specs[0] for spec in specs):
            raise ValueError(f"the splits differ in what an example is ({specs}); open one of them")
        self._parts, self._ends = parts, list(itertools.accumulate(map(len, parts)))
        self.spec, self.about = parts[0].spec, parts[0].about
        told = repr([part.fingerprint for part in parts])
        self.fingerprint = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()

    def __len__(self):
        return self._ends[-1]

    def __getitem__(self, index):
        index = range(len(self))[index]
        part = bisect.bisect_right(self._ends, index)
        return self._parts[part][index - self._ends[part]]


def whole(opener: Callable[..., Source]) -> Source:
    """What ``opener(split=...)`` has as "train", and after it what it has as "test"."""
    train = opener(split="train")
    try:
        return Joined([train, opener(split="test")])
    except NoSplit:
        return train
