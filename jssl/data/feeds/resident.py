"""A data set that lives on the device: the host sends indices and nothing else."""

import math
import os
from collections import deque
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jssl.data.feeds.feed import check_batch, check_fields
from jssl.data.feeds.order import batch_indices
from jssl.data.source import Source, stack
from jssl.sharding import batch_sharding

__all__ = ["ResidentFeed"]


class ResidentFeed:
    """Batches gathered on the device from a copy of the whole data set, every field as it is, on every device.

    Args:
      source: a data set that fits in the memory of each device.
      mesh: mesh with the axes 'data' and 'fsdp'.
      seed: of the order, see `batch_indices`.
      global_batch: examples per step over all devices of all hosts.

    Raises:
      ValueError: if global_batch does not divide over the devices or exceeds the data set, or the data set does not
        fit; that is said before any of it is read.

    >>> from jssl.data import open_source
    >>> mesh = jax.make_mesh((1, 1), ("data", "fsdp"))
    >>> feed = ResidentFeed(open_source("synthetic:num_examples=20,image_size=8"), mesh, seed=0, global_batch=4)
    >>> {name: array.shape for name, array in feed.batch(3).items()}
    {'image': (4, 8, 8, 3), 'index': (4,), 'label': (4,), 'size': (4, 2)}
    """

    OPTIONS: dict[str, type] = {}

    def __init__(self, source: Source, mesh: Mesh, *, seed: int, global_batch: int):
        check_batch(global_batch, mesh, len(source))
        check_fields(source)
        _check_memory(source, mesh)
        self.source, self.seed, self.global_batch = source, seed, global_batch
        self.num_examples = len(source)
        everywhere = NamedSharding(mesh, P())

        def put(array):  # from a callback, because device_put of a replicated array compares its bytes between hosts
            return jax.make_array_from_callback(array.shape, everywhere, lambda index: array[index])

        self._arrays = {name: put(array) for name, array in stack(source).items()}
        self._sharding = batch_sharding(mesh)

        def gather(arrays, index):
            return {name: jnp.take(array, index, 0) for name, array in arrays.items()} | {"index": index}

        # Each device looks its own rows up in its own copy: no communication.
        spec = self._sharding.spec
        self._gather = jax.jit(jax.shard_map(gather, mesh=mesh, in_specs=(P(), spec), out_specs=spec))

    def batch(self, step: int) -> dict[str, jax.Array]:
        """The batch of a step: each field (B, ...) and index (B,) int32, sharded over the batch."""
        index = batch_indices(self.seed, step, self.global_batch, self.num_examples).astype(np.int32)
        return self._gather(self._arrays, _place(index, self._sharding))

    def iterate(self, start_step: int = 0) -> Iterator[dict[str, jax.Array]]:
        """Batches from start_step on, without end; the next one is dispatched before this one is handed out."""
        ahead: deque[dict[str, jax.Array]] = deque()
        step = start_step
        while True:
            while len(ahead) < 2:
                ahead.append(self.batch(step))
                step += 1
            yield ahead.popleft()


def _place(index: np.ndarray, sharding: NamedSharding) -> jax.Array:
    """An explicit transfer (fine under transfer_guard("disallow")) of each local device's rows."""
    places = sharding.addressable_devices_indices_map(index.shape)
    shards = [jax.device_put(index[rows], device) for device, rows in places.items()]
    return jax.make_array_from_single_device_arrays(index.shape, sharding, shards)


def _check_memory(source: Source, mesh: Mesh) -> None:
    """Raises ValueError if a copy of the source on each device would not fit."""
    needed = len(source) * sum(math.prod(field.shape) * field.dtype.itemsize for field in source.spec.values())
    free, where = free_memory(mesh)
    if needed > free:
        raise ValueError(
            f"the data set takes {_readable(needed)} on each device, {where} has {_readable(free)} free; "
            "use --config.data.feed=grain, which streams it"
        )


def free_memory(mesh: Mesh) -> tuple[int, str]:
    """Bytes that each local device of a mesh can still hold, and the name of the fullest one."""
    least = []
    for device in mesh.local_devices:
        stats = device.memory_stats() or {}
        if "bytes_limit" not in stats:  # CPU: all devices share the memory of the host
            return _host_memory() // len(mesh.local_devices), "the host"
        least.append((stats["bytes_limit"] - stats.get("bytes_in_use", 0), str(device)))
    return min(least)


def _host_memory() -> int:
    """Memory of this machine in bytes that programs can get; where only Linux would say, all of it."""
    try:
        with open("/proc/meminfo") as file:
            lines = dict(line.split(":") for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024  # the free pages of sysconf leave out what is but cached
    except (OSError, KeyError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _readable(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
