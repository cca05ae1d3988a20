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

from jssl.data.feed import check_batch
from jssl.data.order import batch_indices
from jssl.data.source import Source, stack
from jssl.sharding import batch_sharding

__all__ = ["ResidentFeed"]


class ResidentFeed:
    """Batches gathered on the device from a copy of the whole data set, every field of it, held on every device.

    Args:
      source: a data set that fits in device memory.
      mesh: mesh with the axes 'data' and 'fsdp'.
      seed: of the order, see `batch_indices`.
      global_batch: examples per step over all devices of all hosts.

    Raises:
      ValueError: if global_batch does not divide over the devices or exceeds the data set, or if that does not fit.

    >>> from jssl.data import open_source
    >>> mesh = jax.make_mesh((1, 1), ("data", "fsdp"))
    >>> feed = ResidentFeed(open_source("synthetic:num_examples=20,image_size=8"), mesh, seed=0, global_batch=4)
    >>> {name: array.shape for name, array in feed.batch(3).items()}
    {'image': (4, 8, 8, 3), 'index': (4,), 'label': (4,), 'size': (4, 2)}
    """

    def __init__(self, source: Source, mesh: Mesh, *, seed: int, global_batch: int):
        check_batch(global_batch, mesh, len(source))
        self.source, self.seed, self.global_batch = source, seed, global_batch
        self.num_examples = len(source)
        _check_fits(source, mesh.devices.flat[0])
        everywhere = NamedSharding(mesh, P())
        # From a callback, because device_put of a replicated array compares its bytes between hosts.
        self._fields = {
            name: jax.make_array_from_callback(array.shape, everywhere, lambda index, array=array: array[index])
            for name, array in stack(source).items()
        }
        self._sharding = batch_sharding(mesh)

        def gather(fields, index):
            return {**{name: jnp.take(array, index, 0) for name, array in fields.items()}, "index": index}

        # Each device looks its own rows up in its own copy: no communication.
        spec = self._sharding.spec
        self._gather = jax.jit(jax.shard_map(gather, mesh=mesh, in_specs=(P(), spec), out_specs=spec))

    def batch(self, step: int) -> dict[str, jax.Array]:
        """The batch of a step: every field (B, ...) and index (B,) int32, sharded over the batch."""
        index = batch_indices(self.seed, step, self.global_batch, self.num_examples).astype(np.int32)
        return self._gather(self._fields, _place(index, self._sharding))

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


def _check_fits(source: Source, device: jax.Device) -> None:
    """Says so before anything is read."""
    bytes_ = len(source) * sum(
        math.prod(field.shape) * np.dtype(field.dtype).itemsize for field in source.spec.values()
    )
    if bytes_ > (free := _free_bytes(device)):
        raise ValueError(
            f"the data set takes {bytes_ / 2**30:.1f} GiB and {device.device_kind} has {free / 2**30:.1f} GiB free; "
            "stream it instead: --config.data.feed=grain"
        )


def _free_bytes(device: jax.Device) -> float:
    stats = device.memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # not every system tells
        return math.inf
