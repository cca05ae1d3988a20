"""A data set that lives on the device: the host sends indices and nothing else."""

from collections import deque
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jssl.data.feed import check_batch
from jssl.data.order import batch_indices
from jssl.data.source import Source
from jssl.sharding import batch_sharding

__all__ = ["ResidentFeed"]


class ResidentFeed:
    """Batches gathered on the device from a copy of the whole data set, held as uint8 on every device.

    Args:
      source: a data set whose images have one size and fit in device memory.
      mesh: mesh with the axes 'data' and 'fsdp'.
      seed: of the order, see `batch_indices`.
      global_batch: examples per step over all devices of all hosts.

    Raises:
      ValueError: if global_batch does not divide over the devices or exceeds the data set.

    >>> from jssl.data import open_source
    >>> mesh = jax.make_mesh((1, 1), ("data", "fsdp"))
    >>> feed = ResidentFeed(open_source("synthetic:num_examples=20,image_size=8"), mesh, seed=0, global_batch=4)
    >>> {name: array.shape for name, array in feed.batch(3).items()}
    {'image': (4, 8, 8, 3), 'index': (4,), 'label': (4,)}
    """

    def __init__(self, source: Source, mesh: Mesh, *, seed: int, global_batch: int):
        check_batch(global_batch, mesh, len(source))
        self.source, self.seed, self.global_batch = source, seed, global_batch
        self.num_examples = len(source)
        images, labels = source.arrays()
        everywhere = NamedSharding(mesh, P())
        # From a callback, because device_put of a replicated array compares its bytes between hosts.
        self._images = jax.make_array_from_callback(images.shape, everywhere, lambda index: images[index])
        self._labels = jax.make_array_from_callback(labels.shape, everywhere, lambda index: labels[index])
        self._sharding = batch_sharding(mesh)

        def gather(images, labels, index):
            return {"image": jnp.take(images, index, 0), "index": index, "label": jnp.take(labels, index, 0)}

        # Each device looks its own rows up in its own copy: no communication.
        spec = self._sharding.spec
        self._gather = jax.jit(jax.shard_map(gather, mesh=mesh, in_specs=(P(), P(), spec), out_specs=spec))

    def batch(self, step: int) -> dict[str, jax.Array]:
        """The batch of a step: image (B, H, W, 3) uint8, label (B,) and index (B,) int32, sharded over the batch."""
        index = batch_indices(self.seed, step, self.global_batch, self.num_examples).astype(np.int32)
        return self._gather(self._images, self._labels, _place(index, self._sharding))

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
