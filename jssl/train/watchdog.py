"""Ends a run that hangs: when no step finishes for much longer than a step takes, with the stacks of all threads and a line.

A collective whose other side is gone, a driver that is stuck and a file system that does not answer wait for ever, at full
price. Whoever started the run can start it again, from its last checkpoint.
"""

import collections
import contextlib
import faulthandler
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator

import jax

from jssl import peers, processes

__all__ = ["Watchdog"]

TIMES = 50
"""A step that takes so many times the median of those before hangs."""

_FIRST_TELLS = 15.0  # seconds that the other processes leave to the first one, which knows where each of them is


class Watchdog:
    """A thread that looks at the outputs of the steps, without waiting for any, while the context is open.

    Until the first step is done, which compiles for as long as it takes, nothing is too long.

    Args:
      least: seconds that a step may take in any case; 0 lets it take for ever.

    >>> with Watchdog(600) as watchdog:
    ...     watchdog.started(0, jax.numpy.zeros(()))
    """

    def __init__(self, least: float):
        self._least = least
        self._started: collections.deque[tuple[int, jax.Array]] = collections.deque()
        self._durations: collections.deque[float] = collections.deque(maxlen=200)  # seconds per step
        self._last, self._at = time.monotonic(), -1  # the end of a step, and the newest one that was started
        self._paused, self._over = False, threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def started(self, step: int, output: jax.Array) -> None:
        """Notes a step.

        Args:
          step: its number.
          output: anything that it computes, small, which is held until it is done.
        """
        self._at = step
        self._started.append((step, output))
        peers.note(step)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Time inside does not count."""
        self._paused = True
        try:
            yield
        finally:
            self._last, self._paused = time.monotonic(), False

    def _watch(self):
        while not self._over.wait(min(1.0, self._least / 10)):
            now, done = time.monotonic(), 0
            while self._started and self._started[0][1].is_ready():
                self._started.popleft()
                done += 1
            if done:
                self._durations.append((now - self._last) / done)
                self._last = now
            elif self._durations and not self._paused:
                median = statistics.median(self._durations)
                limit = max(self._least, TIMES * median)
                if now - self._last > limit:
                    self._end(limit, median)

    def _end(self, limit: float, median: float):
        faulthandler.dump_traceback(sys.stderr, all_threads=True)
        stuck = (
            f"step {self._started[0][0]} was started and does not end"
            if self._started
            else f"none was started after step {self._at}: the data or the disk do not answer"
        )
        reason = f"no step has ended for {limit:.0f} s, the median is {median:.2g} s: {stuck}{peers.behind()}"
        if not processes.first():
            time.sleep(_FIRST_TELLS)
        peers.fail(peers.LOST, reason)
        print(f"jssl: {reason}", file=sys.stderr, flush=True)
        os._exit(peers.LOST)  # the main thread is stuck: nothing else reaches it

    def __enter__(self):
        if self._least:
            self._thread.start()
        return self

    def __exit__(self, *error):
        self._over.set()
        if self._least:
            self._thread.join()
