"""Where arrays live: the device mesh, and an ordered table of (regex, rule) that lays parameters out on it.

Storage and compute layouts differ. State is *stored* sharded over the ``fsdp`` axis (each device keeps a slice of every
large array); the loss *computes* on whole arrays, which ``gather`` assembles inside the step, those of a transformer one
block at a time. Differentiating through an all-gather turns it into a reduce-scatter, so gradients come back as the same
slices.
"""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import flax.struct
import jax
import numpy as np
from flax.core import meta
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

AXES = ("data", "fsdp")
"""Mesh axes. The batch is split over both; parameters over ``fsdp`` only."""

Rule = Callable[[tuple[int, ...], Mesh], P]


def make_mesh(devices: Sequence[jax.Device] | None = None, *, fsdp: int = 1) -> Mesh:
    """Returns a (data, fsdp) mesh over ``devices`` (all of them by default); several slices are split over ``data`` first.

    Args:
      devices: the devices to use.
      fsdp: how many devices share one copy of the state; 1 replicates it everywhere.

    Raises:
      ValueError: the device count is not a multiple of ``fsdp``.

    >>> make_mesh(jax.devices()[:1]).shape["data"]
    1
    """
    devices = jax.devices() if devices is None else list(devices)
    if fsdp < 1 or len(devices) % fsdp:
        raise ValueError(f"fsdp={fsdp} does not divide the {len(devices)} devices; choose a divisor")
    # Auto, not the Explicit default: a network of the user's own may hold products that have no layout on an Explicit mesh.
    axis_types = (AxisType.Auto,) * len(AXES)
    return Mesh(_place(devices, len(devices) // fsdp, fsdp), AXES, axis_types=axis_types)


def _place(devices: Sequence[jax.Device], data: int, fsdp: int):
    """The devices as a (data, fsdp) array, in which neighbours are near each other."""
    slices = len({getattr(device, "slice_index", 0) for device in devices})
    if slices == 1:
        return mesh_utils.create_device_mesh((data, fsdp), devices, allow_split_physical_axes=True)
    if data % slices:  # one copy of the state lies in several slices
        return np.array(sorted(devices, key=lambda device: (device.slice_index, device.id))).reshape(data, fsdp)
    # Between slices there is but a data-centre network, and one sum of gradients per step is the least to send over it.
    within, between = (data // slices, fsdp), (slices, 1)
    return mesh_utils.create_hybrid_device_mesh(within, between, devices, allow_split_physical_axes=True)


def replicate(shape: tuple[int, ...], mesh: Mesh) -> P:
    """Rule: every device keeps the whole array."""
    del shape, mesh
    return P()


def shard_largest(min_size: int = 2**14, *, first: int = 0) -> Rule:
    """Rule: split the largest dimension that ``fsdp`` divides; arrays under ``min_size`` elements stay whole.

    Args:
      min_size: elements of the smallest array that is split.
      first: dimensions before this one stay whole.
    """

    def rule(shape: tuple[int, ...], mesh: Mesh) -> P:
        parts = mesh.shape["fsdp"]
        candidates = [d for d, n in enumerate(shape) if d >= first and n % parts == 0]
        if parts == 1 or math.prod(shape) < min_size or not candidates:
            return P()
        dimension = max(candidates, key=lambda d: shape[d])
        return P(*(["fsdp" if d == dimension else None for d in range(dimension + 1)]))

    return rule


DEFAULT_RULES: tuple[tuple[str, Rule], ...] = (
    (r"(^|/)blocks/", shard_largest(first=1)),  # a scan takes them apart along the first
    (".*", shard_largest()),
)

_LATE = re.compile(r"(^|/)block(s|_\d+)/")
"""Parameters of the blocks of a ``models.Transformer``, which are put together when their block runs."""


def layout(tree, mesh: Mesh, rules: Sequence[tuple[str, Rule]] = DEFAULT_RULES):
    """Returns the tree of PartitionSpecs: for each leaf the first rule whose regex matches its path.

    Optimiser moments have the shapes of their parameters, so a rule that looks at shapes lays both out alike.

    Raises:
      ValueError: no rule matches a leaf.
    """

    def spec(path, leaf):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        for pattern, rule in rules:
            if re.search(pattern, name):
                return rule(leaf.shape, mesh)
        raise ValueError(f"no sharding rule matches {name!r}; end the table with ('.*', rule)")

    return jax.tree_util.tree_map_with_path(spec, tree)


def named(specs, mesh: Mesh):
    """PartitionSpecs -> NamedShardings."""
    return jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs)


class Shard(flax.struct.PyTreeNode, meta.AxisMetadata):
    """Inside shard_map: a device's slice of a parameter. Flax puts the parameter together when a module asks for it.

    Under ``nn.remat`` a module asks again in the backward pass, so that the whole array need not be kept until then.

    Attributes:
      value: the slice.
      spec: the PartitionSpec of the whole array.
    """

    value: Any
    spec: P = flax.struct.field(pytree_node=False)

    def unbox(self) -> jax.Array:
        """The whole array."""
        leaf = self.value
        if any(self.spec):
            # Each device uses an array of its own: gradients are scattered first, and only slices are summed over ``data``.
            missing = tuple(axis for axis in AXES if axis not in jax.typeof(leaf).manual_axis_type.varying)
            leaf = jax.lax.pcast(leaf, missing, to="varying") if missing else leaf
        for dimension, axis in enumerate(self.spec):
            if axis is not None:
                leaf = jax.lax.all_gather(leaf, axis, axis=dimension, tiled=True)
        return leaf

    def replace_boxed(self, val) -> "Shard":
        """The same place, other values."""
        return self.replace(value=val)

    def add_axis(self, index: int, params: dict) -> "Shard":
        """Of parameters that are stacked."""
        del params
        axes = [*self.spec, *[None] * (index - len(self.spec))]
        return self.replace(spec=P(*axes[:index], None, *axes[index:]))

    def remove_axis(self, index: int, params: dict) -> "Shard":
        """Of one of a stack of parameters.

        Raises:
          ValueError: the stack is split between its parameters.
        """
        del params
        if any(self.spec[index : index + 1]):
            raise ValueError(
                f"a scan cannot take parameters apart along axis {index} of {self.value.shape}, which is split over devices; "
                "start the sharding table with DEFAULT_RULES[0]"
            )
        return self.replace(spec=P(*self.spec[:index], *self.spec[index + 1 :]))


def gather(tree, specs):
    """Inside shard_map: whole arrays from the storage shards described by ``specs``; a ``Shard`` where a block will ask."""

    def assemble(path, leaf, spec):
        shard = Shard(leaf, spec)
        late = any(spec) and _LATE.search(jax.tree_util.keystr(path, simple=True, separator="/"))
        return shard if late else shard.unbox()

    return jax.tree_util.tree_map_with_path(assemble, tree, specs)


def unbox(tree):
    """Whole arrays in place of every ``Shard``."""
    return meta.unbox(tree)


def has_shards(tree) -> bool:
    """Whether some parameters are yet to be put together."""
    return any(isinstance(x, Shard) for x in jax.tree.leaves(tree, is_leaf=lambda x: isinstance(x, Shard)))


def all_but_weights(primitive, *_, **__) -> bool:
    """Policy of ``jax.checkpoint``: keeps what was computed, and neither a gathered parameter nor another form of one."""
    return primitive.name not in _FORMS


_FORMS = frozenset(
    (
        "all_gather",
        "all_gather_invariant",
        "pvary",
        "convert_element_type",
        "reshape",
        "transpose",
        "squeeze",
        "broadcast_in_dim",
    )
)


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Examples are split over every axis."""
    return NamedSharding(mesh, P(AXES))


def place(array, sharding: NamedSharding) -> jax.Array:
    """An array that every process holds whole -> a global one: each process copies what its devices keep."""
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])
