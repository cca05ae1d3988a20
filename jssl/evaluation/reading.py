"""Examples read in threads, a few batches ahead of whoever uses them."""

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from jssl.data.source import Source, stack

__all__ = ["AHEAD", "ahead", "batches", "collect"]

AHEAD = 2
"""Batches that wait while another is used."""


def ahead(function: Callable, items: Iterable) -> Iterator:
    """``function`` of every item, in order, in a thread that is at most ``AHEAD`` items in front of the caller.

    >>> list(ahead(str, range(4)))
    ['0', '1', '2', '3']
    """
    waiting: collections.deque[Future] = collections.deque()
    pool = ThreadPoolExecutor(1)  # ``stack`` reads the examples of a batch in threads of its own
    try:
        for item in items:
            if len(waiting) == AHEAD:
                yield waiting.popleft().result()
            waiting.append(pool.submit(function, item))
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def batches(source: Source, batch_size: int = 256) -> Iterator[dict[str, np.ndarray]]:
    """Every example once, in order: name -> (rows, ...), rows at most ``batch_size``."""

    def read(start):
        return stack(source, range(start, min(start + batch_size, len(source))))

    return ahead(read, range(0, len(source), batch_size))


def collect(parts: Iterable[dict[str, np.ndarray]], length: int) -> dict[str, np.ndarray]:
    """Batches as whole arrays: name -> (length, ...).

    >>> collect([{"label": np.arange(2)}, {"label": np.arange(1)}], 3)
    {'label': array([0, 1, 0])}
    """
    whole: dict[str, np.ndarray] = {}
    start = 0
    for part in parts:
        count = len(next(iter(part.values())))
        for name, rows in part.items():
            # One allocation: a list of batches that is then joined would hold everything twice.
            array = whole.setdefault(name, np.empty((length, *rows.shape[1:]), rows.dtype))
            array[start : start + count] = rows
        start += count
    return whole
