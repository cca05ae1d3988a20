"""Where arrays live: the device mesh, and an ordered table of (regex, rule) that lays parameters out on it.

Storage and compute layouts differ. State is *stored* sharded over the ``fsdp`` axis (each device keeps a slice of every
large array); the loss *computes* on whole arrays, which ``gather`` assembles inside the step. Differentiating through
``gather`` turns each all-gather into a reduce-scatter, so gradients come back as the same slices.
"""

import math
import re
from collections.abc import Callable, Sequence

import jax
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

AXES = ("data", "fsdp")
"""Mesh axes. The batch is split over both; parameters over ``fsdp`` only."""

Rule = Callable[[tuple[int, ...], Mesh], P]


def make_mesh(devices: Sequence[jax.Device] | None = None, *, fsdp: int = 1) -> Mesh:
    """Returns a (data, fsdp) mesh over ``devices`` (all of them by default).

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
    placed = mesh_utils.create_device_mesh((len(devices) // fsdp, fsdp), devices, allow_split_physical_axes=True)
    return Mesh(placed, AXES, axis_types=axis_types)


def replicate(shape: tuple[int, ...], mesh: Mesh) -> P:
    """Rule: every device keeps the whole array."""
    del shape, mesh
    return P()


def shard_largest(min_size: int = 2**14) -> Rule:
    """Rule: split the largest dimension that ``fsdp`` divides; arrays under ``min_size`` elements stay whole."""

    def rule(shape: tuple[int, ...], mesh: Mesh) -> P:
        parts = mesh.shape["fsdp"]
        candidates = [d for d, n in enumerate(shape) if n % parts == 0]
        if parts == 1 or math.prod(shape) < min_size or not candidates:
            return P()
        dimension = max(candidates, key=lambda d: shape[d])
        return P(*(["fsdp" if d == dimension else None for d in range(dimension + 1)]))

    return rule


DEFAULT_RULES: tuple[tuple[str, Rule], ...] = ((".*", shard_largest()),)


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


def gather(tree, specs):
    """Inside shard_map: assembles whole arrays from the storage shards described by ``specs``."""

    def whole(leaf, spec):
        for dimension, axis in enumerate(spec):
            if axis is not None:
                # From here on it differs between the groups that hold it, too: its gradient is scattered within each group
                # first, so that what is summed over them is a shard and not the whole array.
                others = tuple(name for name in AXES if name not in spec)
                leaf = jax.lax.pcast(leaf, others, to="varying") if others else leaf
                leaf = jax.lax.all_gather(leaf, axis, axis=dimension, tiled=True)
        return leaf

    return jax.tree.map(whole, tree, specs)


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Examples are split over every axis."""
    return NamedSharding(mesh, P(AXES))


def place(array, sharding: NamedSharding) -> jax.Array:
    """An array that every process holds whole -> a global one: each process copies what its devices keep."""
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])
