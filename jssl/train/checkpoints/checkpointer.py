"""Checkpoints that are asynchronous, atomic, and checked bit by bit when they are read.

One folder per step, written by Orbax under a temporary name and renamed when it is whole. The arrays are stored under
flat names; the record beside them (``record.py``) holds a fingerprint of each. Orbax returns a flipped bit of an
array file as if it were data; the fingerprints catch it.

Orbax's v1 free functions are used, neither v0 ``CheckpointManager`` nor the v1 class on top of it: these believe the
folder's name, skip a save while another is in flight, and refuse to write a step again that turned out to be broken.
After a failed write, v0 also prints the tracebacks of its own threads past every log filter.
"""

import gc
import logging
import os
import re
from typing import Any

import jax
from etils import epath
from orbax.checkpoint import v1 as ocp

from jssl import processes
from jssl.train.checkpoints import record as records
from jssl.train.checkpoints.fingerprint import fingerprints
from jssl.train.checkpoints.leaves import check_layout, key_data
from jssl.train.checkpoints.quiet import hush_closed_loops, quiet
from jssl.train.checkpoints.record import named_leaves, one_line, some
from jssl.train.checkpoints.verify import read, read_record

__all__ = ["Checkpointer"]

logger = logging.getLogger(__name__)

_LEFTOVER = re.compile(r"\d+\.(orbax-checkpoint-tmp|deleted)")


class Checkpointer:
    """Saves and restores one run's state in a folder.

    Args:
      folder: where the checkpoints lie, one folder per step; made at the first save. Reading never changes it.
      every: ``save`` writes at multiples of this step count, and whenever forced.
      keep: how many of the newest checkpoints stay.
      keep_every: multiples of this step count stay for good.
      best: name of a metric given to ``save``; the checkpoint with its highest value stays too (the newest of equals).

    Raises:
      ValueError: a count below 1, or ``folder`` is a file, or has a sign in its path that Orbax cannot take.

    Example:
      >>> import jax, jax.numpy as jnp, tempfile
      >>> state = {"weight": jnp.arange(4.0), "key": jax.random.key(0)}
      >>> with tempfile.TemporaryDirectory() as folder, Checkpointer(folder, every=10) as checkpoints:
      ...     saved = checkpoints.save(10, state, {"config": {"seed": 0}})
      ...     restored, meta, step = checkpoints.restore(jax.eval_shape(lambda: state))
      >>> saved, step, meta["config"], restored["weight"].tolist()
      (True, 10, {'seed': 0}, [0.0, 1.0, 2.0, 3.0])
    """

    def __init__(self, folder, *, every: int, keep: int = 2, keep_every: int | None = None, best: str | None = None):
        for name, count in (("every", every), ("keep", keep), ("keep_every", keep_every)):
            if count is not None and count < 1:
                raise ValueError(f"checkpoint: {name}={count} must be at least 1")
        self.folder = epath.Path(folder if "://" in str(folder) else os.path.abspath(folder))
        if found := set("[\\") & set(str(self.folder)):
            # Orbax looks for what it has written by a glob of the whole path, and finds nothing.
            raise ValueError(
                f"checkpoint: {self.folder} has {' and '.join(sorted(found))} in its path, where checkpoints cannot be found "
                "again; use a folder without"
            )
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"checkpoint: {self.folder} is a file; name a folder")
        self.every, self.keep, self.keep_every, self.best = every, keep, keep_every, best
        # (step, the step before it, Orbax response) of the save in flight
        self._pending: tuple[int, int | None, Any] | None = None
        self._current: int | None = None  # the step this run stands on: saved or restored last
        self._given_up: set[int] = set()  # newer than the restored one: broken, or of a history that was left
        self._swept = False
        self._metrics: dict[int, dict] = {}
        self._context = ocp.Context()
        # Made in the background, a folder that cannot be made, or a crash meanwhile, leaves threads waiting 20 minutes.
        self._context.async_options.create_directories_asynchronously = False
        self._context.pytree_options.loading.partial_load = (
            True  # which leaves are there is compared before they are read
        )

    def save(self, step: int, state: Any, meta: dict, metrics: dict | None = None, force: bool = False) -> bool:
        """Starts to write a checkpoint if ``step`` is a multiple of ``every``; on return the state may be donated.

        A save that is still in flight is waited for, and its error, if any, is raised here.

        Args:
          step: the step that the state stands on.
          state: any tree of jax.Arrays, typed PRNG keys included.
          meta: what to keep beside it, JSON: config, data fingerprint. ``versions``, ``metrics``, ``step`` are added.
          metrics: name -> number; ``best`` is looked up here.
          force: write at any step.

        Returns:
          Whether a save was started. The step that this run saved or restored last is not written again.

        Raises:
          OSError: this save or the one before could not be written: no space, no permission.
          ValueError: a leaf is no jax.Array, meta is no JSON, or the folder holds later steps that were not restored.
        """
        step = int(step)
        if not (force or step % self.every == 0) or step == self._current:
            return False
        self.wait()
        self._check_order(step)
        leaves = named_leaves(state)
        if wrong := [name for name, leaf in leaves.items() if not isinstance(leaf, jax.Array)]:
            raise ValueError(f"checkpoint: every leaf of the state must be a jax.Array; these are not: {some(wrong)}")
        data = {name: key_data(leaf) for name, leaf in leaves.items()}
        record = records.make(step, leaves, fingerprints(data), meta, metrics)
        # Orbax refuses arrays without elements; their shape in the record is enough.
        arrays = {name: array for name, array in data.items() if array.size}
        hush_closed_loops()
        try:
            if processes.first():
                self._sweep()
                self._remove(step)
            with self._context:
                response = ocp.save_checkpointables_async(self._path(step), {"state": arrays}, custom_metadata=record)
        except (OSError, ValueError) as error:
            raise self._write_error(step, error) from error
        self._pending, self._current = (step, self._current, response), step
        return True

    def wait(self) -> None:
        """Waits for the save in flight, then deletes what the keep rules do not keep. OSError if the save failed."""
        if self._pending is None:
            return
        step, before, response = self._pending
        try:
            response.result()
            # The record is written last; the manifest is what Orbax merges from the parts that it finds again.
            if processes.first() and not (self._path(step) / "state" / "manifest.ocdbt").exists():
                raise OSError("its arrays cannot be found again after they were written")
        except Exception as error:  # whatever the storage raised: OSError, ValueError, RuntimeError, a timeout
            self._pending, self._current, self._swept = None, before, False
            raise self._write_error(step, error) from error
        self._pending = None
        if processes.first():
            self._prune(step)

    def restore(
        self, abstract_state: Any, *, step: int | None = None, config: dict | None = None, part: bool = False
    ) -> tuple[Any, dict, int] | None:
        """Loads the newest checkpoint that is whole, onto the devices that ``abstract_state`` names.

        Every leaf's fingerprint is compared with the one taken before the save. A checkpoint that is not whole is
        skipped with one logged warning, and the next older one is tried.

        Args:
          abstract_state: tree of jax.ShapeDtypeStruct with shardings (or of arrays to take the place of); device count
            and sharding may differ from those of the save.
          step: this checkpoint and no other. Later ones count as given up: they go when a new one is whole.
          config: the present config; if the leaves do not fit, its differences from ``meta["config"]`` are named.
          part: the checkpoint may hold more leaves than are asked for; those are not read.

        Returns:
          (state, meta, step), or None if the folder holds no checkpoint.

        Raises:
          ValueError: the checkpoint is of another model (the leaves are named), ``step`` is missing or broken, or there
            are checkpoints and none is whole: starting over would delete them, so that is for the user to say.
        """
        self.wait()
        wanted = named_leaves(abstract_state)
        for name, leaf in wanted.items():
            check_layout(name, leaf)
        steps = self.steps()
        candidates = steps if step is None else [s for s in steps if s == step]
        if step is not None and not processes.agree(bool(candidates)):
            raise self._no_step(step)
        broken = {}
        while (newest := processes.from_first(max(candidates, default=-1))) >= 0:
            with quiet:
                state, meta, reason = read(self.folder, newest, abstract_state, wanted, config, self._context, part)
                if reason is not None:
                    gc.collect()  # tasks that Orbax left behind complain when they are collected: here, unheard
            if reason is None:
                self._current, self._given_up = newest, {s for s in steps if s > newest}
                return state, meta, newest
            logger.warning("checkpoint %d in %s is not whole and is skipped: %s", newest, self.folder, reason)
            broken[newest] = reason
            candidates = [s for s in candidates if s < newest]
        if broken:
            told = "; ".join(f"{s}: {why}" for s, why in broken.items())
            todo = "restore another step" if step is not None else "delete the folder to start over"
            raise ValueError(f"checkpoint: nothing whole to restore in {self.folder} ({told}); {todo}")
        return None

    def steps(self) -> list[int]:
        """The steps of all finished checkpoints, ascending, whole or not."""
        if not self.folder.exists():
            return []
        return sorted(int(p.name) for p in self.folder.iterdir() if p.name.isdecimal() and p.is_dir())

    def latest_step(self) -> int | None:
        """The newest finished checkpoint, whole or not; None if there is none."""
        return max(self.steps(), default=None)

    def read_meta(self, step: int) -> dict:
        """The ``meta`` saved with a step, plus ``versions``, ``metrics``, ``step``. ValueError if it cannot be read."""
        return self._read_record(step)["meta"]

    def read_leaves(self, step: int) -> dict[str, dict]:
        """Path -> ``shape`` and ``dtype`` of the leaves saved with a step. ValueError if they cannot be read."""
        return self._read_record(step)["leaves"]

    def _read_record(self, step: int) -> dict:
        if step not in self.steps():
            raise self._no_step(step)
        try:
            return read_record(self._path(step))
        except Exception as error:
            raise ValueError(f"checkpoint: cannot read the record of {self._path(step)}: {one_line(error)}") from error

    def close(self) -> None:
        """Waits for the save in flight; raises its error."""
        self.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        try:
            self.close()
        except OSError as late:
            if error is None:
                raise
            logger.warning("%s", late)  # the first error is the one to report

    def _path(self, step: int):
        return self.folder / str(step)

    def _check_order(self, step: int) -> None:
        """A run's history is one line: newer steps in the folder would be restored instead of what is saved now."""
        # Without a restore, ask the disk: once, before any process writes, so that all processes see the same.
        newest = max(self.steps(), default=-1) if self._current is None else self._current
        if step <= newest:
            raise ValueError(f"checkpoint: {self.folder} already holds step {newest}; restore it or use another folder")

    def _sweep(self) -> None:
        """Removes what a killed run left half written or half deleted; writers only, a reader may come at any time."""
        if self._swept:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.iterdir():
            if _LEFTOVER.match(path.name):
                path.rmtree()
        self._swept = True

    def _remove(self, step: int) -> None:
        path = self._path(step)
        if path.exists():
            if "://" not in str(path):  # half deleted, it must not look like a checkpoint
                path = path.rename(self.folder / f"{step}.deleted")
            path.rmtree()

    def _prune(self, saved: int) -> None:
        """Applies the keep rules; called when ``saved`` has just become whole."""
        steps = self.steps()
        valid = [s for s in steps if s not in self._given_up or s == saved]
        kept = set(valid[-self.keep :]) | {s for s in valid if self.keep_every and s % self.keep_every == 0}
        scores = [(score, s) for s in valid if (score := self._score(s)) is not None]
        kept |= {s for _, s in sorted(scores)[-1:]}
        for step in set(steps) - kept:
            if step in self._given_up:
                logger.warning("checkpoint %d in %s was given up and is deleted", step, self.folder)
            try:
                self._remove(step)
            except OSError as error:  # a file in use on a network disk; the next save tries again
                logger.warning("checkpoint %d in %s could not be deleted: %s", step, self.folder, one_line(error))
        self._given_up.clear()

    def _score(self, step: int) -> float | None:
        if self.best is None:
            return None
        if step not in self._metrics:
            try:
                self._metrics[step] = read_record(self._path(step))["meta"]["metrics"]
            except Exception:  # a broken one has no score
                self._metrics[step] = {}
        return self._metrics[step].get(self.best)

    def _no_step(self, step: int) -> ValueError:
        return ValueError(f"checkpoint: no step {step} in {self.folder}; it holds {some(self.steps()) or 'none'}")

    def _write_error(self, step: int, error: Exception) -> OSError:
        number = getattr(error, "errno", None)
        if number is None and (found := re.search(r"os_error_code='(\d+)'", str(error))):
            number = int(found[1])  # tensorstore tells it only in its text
        reason = os.strerror(number) if number else one_line(error)
        told = OSError(
            f"checkpoint: step {step} could not be written to {self.folder}: {reason}; "
            "free space there, fix its permissions or use another folder, then start again"
        )
        told.errno = number
        return told
