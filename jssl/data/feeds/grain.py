"""Batches read on the host by Grain: for data sets that do not fit on the device."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from multiprocessing import resource_tracker

import jax
import numpy as np
from jax.sharding import Mesh

from jssl.data.feeds.feed import check_batch, check_fields
from jssl.data.feeds.order import batch_indices
from jssl.data.source import Source, stack
from jssl.sharding import batch_sharding

__all__ = ["GrainFeed"]


class _HostBatches:
    """Random access over the batches of one host, for Grain: element k is the batch of step start + k."""

    def __init__(self, source, *, seed, global_batch, rows, start, threads):
        self.source, self.seed, self.global_batch, self.rows = source, seed, global_batch, rows
        self.start, self.threads = start, threads

    def __len__(self):
        return 1 << 40  # without end

    def __getitem__(self, number):
        step = self.start + int(number)
        index = batch_indices(self.seed, step, self.global_batch, len(self.source))[self.rows]
        fields = stack(self.source, index.tolist(), threads=self.threads)
        return {
            "fields": fields | {"index": index.astype(np.int32)},
            # Worker processes have their own copy of the source: what they met travels with the batch.
            "replaced": np.asarray(sorted(self.source.replaced), np.int64),
        }


class GrainFeed:
    """Batches read in threads or processes, ahead of the step that uses them.

    The place in the data is the step alone: no iterator state is saved, and a run continues exactly on any number of
    hosts, threads and workers. Each host decodes only the rows that its devices hold.

    Args:
      source: the data set.
      mesh: mesh with the axes 'data' and 'fsdp'.
      seed: of the order, see `batch_indices`.
      global_batch: examples per step over all devices of all hosts.
      num_workers: processes; 0 decodes in threads of this one. A script that uses workers needs the
        ``if __name__ == "__main__":`` line, since they import it.
      num_threads: threads when there are no workers; None is one per core, at most 16.
      prefetch: batches decoded ahead (per worker) and batches copied to the devices ahead.
      process_index: for tests: the host to play, together with process_count; then only host_batch works.
      process_count: see process_index.

    Raises:
      ValueError: if global_batch does not divide over the devices and hosts or exceeds the data set.

    >>> from jssl.data import open_source
    >>> mesh = jax.make_mesh((1, 1), ("data", "fsdp"))
    >>> feed = GrainFeed(open_source("synthetic:num_examples=20,image_size=8"), mesh, seed=0, global_batch=4)
    >>> {name: array.shape for name, array in feed.batch(3).items()}
    {'image': (4, 8, 8, 3), 'size': (4, 2), 'label': (4,), 'index': (4,)}
    """

    OPTIONS = {"num_workers": int, "num_threads": int, "prefetch": int}

    def __init__(
        self,
        source: Source,
        mesh: Mesh,
        *,
        seed: int,
        global_batch: int,
        num_workers: int = 0,
        num_threads: int | None = None,
        prefetch: int = 2,
        process_index: int | None = None,
        process_count: int | None = None,
    ):
        check_batch(global_batch, mesh, len(source), process_count or 1)
        check_fields(source)
        if num_workers < 0 or prefetch < 1 or (num_threads is not None and num_threads < 1):
            raise ValueError(
                f"num_workers={num_workers}, num_threads={num_threads}, prefetch={prefetch}; use at least 0, 1 and 1"
            )
        self.source, self.seed, self.global_batch = source, seed, global_batch
        self.num_workers, self.prefetch = num_workers, prefetch
        self.num_threads = num_threads or min(16, os.cpu_count() or 1)
        self._sharding = batch_sharding(mesh)
        self._places = self._sharding.addressable_devices_indices_map((global_batch,))
        if process_count is None:
            # Asked of the sharding and not of the process number: a mesh need not list the hosts in order.
            rows = [np.arange(global_batch)[index] for index in self._places.values()]
            self._rows = np.unique(np.concatenate(rows))
        else:
            assert process_index is not None, "process_count needs process_index"
            share = global_batch // process_count
            self._rows = np.arange(process_index * share, (process_index + 1) * share)

    def host_batch(self, step: int) -> dict[str, np.ndarray]:
        """This host's rows of the batch of a step, in numpy."""
        return self._counted(self._batches(step, self.num_threads)[0])

    def batch(self, step: int) -> dict[str, jax.Array]:
        """The batch of a step: each field (B, ...) and index (B,) int32, sharded over the batch."""
        return self._place(self.host_batch(step))

    def iterate(self, start_step: int = 0) -> Iterator[dict[str, jax.Array]]:
        """Batches from start_step on, without end, prepared ahead; closing the generator stops the workers."""
        import grain  # a second of import time that only this needs

        threads = 1 if self.num_workers else self.num_threads
        dataset = grain.MapDataset.source(self._batches(start_step, threads))
        # One reader: the threads work inside a batch, so at most `prefetch` batches are in memory.
        dataset = dataset.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=self.prefetch))
        if self.num_workers:
            _mark_flags_parsed()
            dataset = dataset.mp_prefetch(
                grain.MultiprocessingOptions(num_workers=self.num_workers, per_worker_buffer_size=self.prefetch),
                worker_init_fn=_end_with_parent,
            )
        iterator = iter(dataset)
        ahead: deque[dict[str, jax.Array]] = deque()
        try:
            with _signals_blocked():  # the first batch starts the workers
                ahead.append(self._place(self._counted(_next(iterator))))
            while True:
                while len(ahead) < self.prefetch:
                    ahead.append(self._place(self._counted(_next(iterator))))
                yield ahead.popleft()
        finally:
            iterator.close()

    def _batches(self, start, threads):
        return _HostBatches(
            self.source, seed=self.seed, global_batch=self.global_batch, rows=self._rows, start=start, threads=threads
        )

    def _counted(self, batch):
        for index in batch["replaced"]:
            self.source.note_replaced(index)
        # Workers hand out shared memory, which jax would hold on to, on a CPU as the array itself, beyond the end of the run.
        return (
            {name: np.array(array) for name, array in batch["fields"].items()} if self.num_workers else batch["fields"]
        )

    def _place(self, batch):
        """Each local device's rows to that device."""
        first = {device: int(np.searchsorted(self._rows, rows.start or 0)) for device, (rows,) in self._places.items()}
        count = self._sharding.shard_shape((self.global_batch,))[0]

        def place(array):
            shards = [jax.device_put(array[at : at + count], device) for device, at in first.items()]
            shape = (self.global_batch, *array.shape[1:])
            return jax.make_array_from_single_device_arrays(shape, self._sharding, shards)

        return {name: place(array) for name, array in batch.items()}


def _next(batches: Iterator) -> dict:
    try:
        return next(batches)
    except RuntimeError as error:
        if "terminated unexpectedly" not in str(error):
            raise
        raise OSError(
            "a process that reads the data was killed from outside, as the system does when memory is short; run the same "
            "command to continue, with fewer --config.data.options.num_workers if it happens again"
        ) from error


@contextlib.contextmanager
def _signals_blocked():
    """Ctrl-C and schedulers signal a whole group of processes. Workers inherit this mask and leave the answer to the process
    that started them, which saves and then closes them; meanwhile another of its threads may take the signal."""
    resource_tracker.ensure_running()  # by itself it would start with the first worker, and unblock both
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent(worker_index, worker_count):
    """In a worker: it ends when the process that started it does, however that dies; Grain's go on for ever."""
    parent = multiprocessing.parent_process()

    def wait():
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _mark_flags_parsed():
    """Grain's workers read absl flags, which a program that is not an absl app never parses."""
    from absl import flags

    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
