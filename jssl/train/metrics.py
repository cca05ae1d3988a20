"""metrics.jsonl: one JSON object per line, whole after any kill, with no step twice after a resume."""

import contextlib
import json
import logging
import math
import os
import pathlib
from collections.abc import Iterator

import numpy as np

from jssl import processes
from jssl.train.sinks import TensorBoard, WeightsAndBiases, installed

__all__ = ["MetricsWriter", "read_metrics"]

logger = logging.getLogger(__name__)

FILE_NAME = "metrics.jsonl"


class MetricsWriter:
    """Appends metrics to ``metrics.jsonl`` in a folder, and to TensorBoard and Weights & Biases where these are asked for.

    Every line reaches the operating system before ``write`` returns. Only the first process writes. TensorBoard or Weights &
    Biases that fails costs one warning.

    Args:
      workdir: the folder, made if missing.
      start_step: the first step that this run will write; lines of it and later steps are left over from a run that
        got further before it was killed, and are dropped.
      tensorboard: True, False, or None for "if tensorboardX is installed". Events go to ``tensorboard/``.
      wandb: a project of Weights & Biases; None goes without.
      config: shown there.

    Raises:
      ValueError: ``tensorboard=True`` or a ``wandb`` project, and the package is not installed.
      OSError: the file cannot be written.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     with MetricsWriter(folder, tensorboard=False) as metrics:
      ...         metrics.write(0, {"loss": 2.5, "grad_norm": float("nan")})
      ...     read_metrics(folder)
      [{'step': 0, 'loss': 2.5, 'grad_norm': None, 'nonfinite': ['grad_norm']}]
    """

    def __init__(
        self,
        workdir,
        *,
        start_step: int = 0,
        tensorboard: bool | None = None,
        wandb: str | None = None,
        config: dict | None = None,
    ):
        for package, asked in (("tensorboardX", tensorboard), ("wandb", wandb)):
            if asked and not installed(package):
                extra = package.removesuffix("X")
                raise ValueError(f"metrics: {extra}={asked} needs {package}: pip install 'jssl[{extra}]'")
        self.path = pathlib.Path(workdir) / FILE_NAME
        self._file = None
        self._sinks: dict[str, TensorBoard | WeightsAndBiases] = {}
        if not processes.first():
            return
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _drop_from(self.path, start_step)
            self._file = open(self.path, "ab", buffering=0)  # a line is one system call: nothing waits in a buffer
        except OSError as error:
            raise self._write_error(error) from error
        if tensorboard is not False and installed("tensorboardX"):
            with self._unless_it_fails("TensorBoard"):
                self._sinks["TensorBoard"] = TensorBoard(folder, start_step=start_step)
        if wandb:
            self._sinks["Weights & Biases"] = WeightsAndBiases(folder, project=wandb, config=config or {})

    def write(self, step: int, metrics: dict) -> None:
        """Appends one line.

        Args:
          step: the step these metrics belong to.
          metrics: name -> number (Python, NumPy or JAX scalar) or text. JSON has no NaN nor inf: these become null, and
            their names are listed under "nonfinite".

        Raises:
          ValueError: a metric is an array, or is named "step" or "nonfinite".
          OSError: the line cannot be written; none of it is left in the file.
        """
        if self._file is None:
            return
        values = {name: _scalar(name, value) for name, value in metrics.items()}
        nonfinite = [name for name, value in values.items() if isinstance(value, float) and not math.isfinite(value)]
        line = {"step": int(step), **values, **dict.fromkeys(nonfinite)}
        if nonfinite:
            line["nonfinite"] = nonfinite
        self._append(json.dumps(line, allow_nan=False).encode() + b"\n")
        finite = {name: value for name, value in values.items() if name not in nonfinite}
        for name, sink in list(self._sinks.items()):
            with self._unless_it_fails(name):
                sink.write(int(step), finite)

    def _append(self, data: bytes) -> None:
        assert self._file is not None
        size = os.fstat(self._file.fileno()).st_size
        try:
            while data:
                data = data[self._file.write(data) :]  # a nearly full disk takes a part
        except OSError as error:
            os.ftruncate(self._file.fileno(), size)
            raise self._write_error(error) from error

    def close(self) -> None:
        """Closes the files; writing is over."""
        if self._file is not None:
            self._file.close()
            self._file = None
        for name, sink in list(self._sinks.items()):
            with self._unless_it_fails(name):
                sink.close()
        self._sinks.clear()

    @contextlib.contextmanager
    def _unless_it_fails(self, name: str) -> Iterator[None]:
        """Everything is in metrics.jsonl already: a sink that fails costs one warning and is left alone, never the run."""
        try:
            yield
        except Exception as error:  # whatever a disk, a network or somebody's server raises
            with contextlib.suppress(Exception):  # what it still holds cannot be written either
                self._sinks.pop(name).close()
            told = " ".join(str(error).split()) or type(error).__name__
            logger.warning("metrics: %s gets nothing more: %s; %s has everything", name, told, self.path)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def _write_error(self, error: OSError) -> OSError:
        told = OSError(
            f"metrics: cannot write {self.path}: {error.strerror or error}; "
            "free space there, fix its permissions or use another folder, then start again"
        )
        told.errno = error.errno
        return told


def read_metrics(workdir) -> list[dict]:
    """All lines of ``metrics.jsonl`` in a folder, in order; a line torn by a kill is left out.

    Raises:
      FileNotFoundError: the folder has no ``metrics.jsonl``.
    """
    with open(pathlib.Path(workdir) / FILE_NAME, "rb") as file:
        return [entry for line in file if (entry := _parse(line)) is not None]


def _scalar(name: str, value):
    if name in ("step", "nonfinite"):
        raise ValueError(f"metrics: the name {name!r} is taken; rename the metric")
    if isinstance(value, str | bool | int | float):
        return value
    array = np.asarray(value)
    if array.size != 1:
        raise ValueError(f"metrics: {name} has shape {array.shape}; reduce it to one number before writing")
    return float(array.reshape(())) if array.dtype.kind not in "biu" else array.reshape(()).item()


def _parse(line: bytes) -> dict | None:
    try:
        entry = json.loads(line)
    except ValueError:  # also a character cut in two
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("step"), int) else None


def _drop_from(path: pathlib.Path, start_step: int) -> None:
    """Rewrites the file without the lines of ``start_step`` and later, and without torn ones; atomic."""
    if not path.exists():
        return
    fresh = path.with_name(path.name + ".tmp")
    torn = 0
    with open(path, "rb") as old, open(fresh, "wb") as new:
        for line in old:
            entry = _parse(line)
            torn += entry is None
            if entry is not None and entry["step"] < start_step:
                new.write(line.rstrip(b"\n") + b"\n")
        new.flush()
        os.fsync(new.fileno())
    os.replace(fresh, path)
    if torn:
        logger.warning("metrics: %d unreadable line(s) dropped from %s", torn, path)
