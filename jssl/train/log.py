"""What the steps say: kept on the device until somebody asks, averaged for each line of the log, watched for NaN.

Reading a metric waits for its step, so the loop reads only when a line is due, or when the state is about to be saved or
evaluated. Reading and averaging are two things: a checkpoint between two lines looks at what is there and takes nothing
away from the next line.
"""

import collections
import contextlib
import json
import logging
import pathlib
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils

from jssl import processes

__all__ = ["Collapsed", "Entry", "Log", "NonFiniteLoss", "check_skipped", "nonfinite_loss"]

logger = logging.getLogger(__name__)

_WATCHED = ("loss", "grad_norm")
_LATEST = 100  # steps over which skipped updates are counted
_FEWEST = 20  # and before so many nothing is called most of them


class Entry(NamedTuple):
    """One step.

    Attributes:
      step: its number, from 0.
      metrics: name -> scalar.
      index: (B,) int32, the examples of its batch.
    """

    step: int
    metrics: dict[str, Any]
    index: jax.Array  # type: ignore[assignment]  # hides tuple.index, which nobody needs


class Log:
    """The steps since the last line of the log, and how fast they went.

    Args:
      batch_size: examples per step, global.

    Attributes:
      latest_skipped: of the latest steps that were fetched, whether their updates were skipped.

    >>> import jax.numpy as jnp
    >>> log = Log(batch_size=4)
    >>> for step, loss in enumerate([3.0, 2.0, 1.0]):
    ...     log.add(step, {"loss": jnp.float32(loss), "grad_norm": jnp.float32(1.0)}, jnp.arange(4))
    >>> log.nonfinite() is None, log.means()["loss"]
    (True, 2.0)
    """

    def __init__(self, batch_size: int):
        self._batch_size = batch_size
        self._on_device: list[Entry] = []
        self._on_host: list[Entry] = []
        self.latest_skipped: collections.deque[bool] = collections.deque(maxlen=_LATEST)
        self._start = time.perf_counter()
        self._untimed = 0  # steps of this line that ran before the clock began

    def add(self, step: int, metrics: dict[str, jax.Array], index: jax.Array) -> None:
        """Notes a step that has been started; waits for nothing."""
        self._on_device.append(Entry(step, metrics, index))

    def fetch(self) -> None:
        """Waits for all steps noted so far and brings their metrics to the host, in one transfer; forgets none."""
        rows = jax.device_get([entry.metrics for entry in self._on_device])
        self._on_host += [entry._replace(metrics=row) for entry, row in zip(self._on_device, rows)]
        self.latest_skipped += [bool(row.get("skipped")) for row in rows]
        self._on_device.clear()

    def begin(self) -> None:
        """Fetches; the clock begins here, so that the steps so far, which compiled, do not count as slow."""
        self.fetch()
        self._untimed, self._start = len(self._on_host), time.perf_counter()

    def nonfinite(self) -> Entry | None:
        """Fetches; the first step since the last line whose loss or gradient norm is NaN or inf."""
        self.fetch()
        return next((e for e in self._on_host if not all(np.isfinite(e.metrics[name]) for name in _WATCHED)), None)

    def so_far(self) -> dict[str, float]:
        """Fetches; the mean of every metric over the steps since the last line, of which it takes nothing away.

        Steps whose update was skipped, if others were not, count in ``skipped`` alone, which is their share. Empty if there
        was no step.
        """
        self.fetch()
        rows = [entry.metrics for entry in self._on_host]
        if not rows:
            return {}
        taken = [row for row in rows if not row.get("skipped")] or rows
        means = {name: float(np.mean([row[name] for row in taken], dtype=np.float64)) for name in rows[0]}
        if "skipped" in means:
            means["skipped"] = float(np.mean([row["skipped"] for row in rows], dtype=np.float64))
        return means

    def means(self) -> dict[str, float]:
        """``so_far``, after which a new line begins.

        ``examples_per_second`` is added, unless all that there is are the steps that compiled.
        """
        means, now = self.so_far(), time.perf_counter()
        if timed := len(self._on_host) - self._untimed:
            means["examples_per_second"] = timed * self._batch_size / max(now - self._start, 1e-9)
        self._start, self._untimed = now, 0
        self._on_host.clear()
        return means

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Time inside does not count. Fetches first: steps under way must not run on the time that does not count."""
        self.fetch()
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._start += time.perf_counter() - begin


class NonFiniteLoss(RuntimeError):
    """The loss or a gradient was not finite, once or most of the time, and the run is to stop there."""


class Collapsed(RuntimeError):
    """The features collapsed, and the run is to stop there."""


def check_skipped(log: Log, line: dict[str, float], step: int) -> None:
    """Warns of the updates that a line of the log says were skipped.

    Args:
      log: that gave the line.
      line: from ``Log.means``.
      step: the last of the line.

    Raises:
      NonFiniteLoss: most of the latest updates were skipped: such a run learns nothing more.
    """
    if not line.get("skipped"):
        return
    skipped, of = sum(log.latest_skipped), len(log.latest_skipped)
    told = f"step {step}: {skipped} of the latest {of} updates were skipped"
    if of >= _FEWEST and skipped > of / 2:
        raise NonFiniteLoss(f"{told}, the run learns nothing more; lower the learning rate, or look at the data")
    logger.warning("%s: their loss or gradient was not finite, or a spike", told)


def nonfinite_loss(entry: Entry, folder: pathlib.Path, *, last_good: int | None) -> NonFiniteLoss:
    """Writes ``nonfinite.json``, with the step and its examples, and returns the error to raise.

    All processes must call it: each holds a part of the batch. The first one writes.

    Args:
      entry: from ``Log.nonfinite``.
      folder: takes the file.
      last_good: step of the newest checkpoint, if there is one.
    """
    loss, norm = (str(entry.metrics[name]) for name in _WATCHED)
    index = multihost_utils.process_allgather(entry.index, tiled=True)
    file = folder / "nonfinite.json"
    if processes.first():
        file.write_text(json.dumps({"step": entry.step, "loss": loss, "grad_norm": norm, "index": index.tolist()}))
    where = f"the last good checkpoint is step {last_good}" if last_good is not None else "there is no checkpoint yet"
    return NonFiniteLoss(
        f"loss {loss} with gradient norm {norm} at step {entry.step}: {where}; its examples are in {file}; "
        "lower the learning rate or set --config.run.on_nonfinite=skip"
    )
