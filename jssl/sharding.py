"""Where arrays live: the device mesh, and an ordered table of (regex, rule) that lays parameters out on it.

Storage and compute layouts differ. State is *stored* sharded over the ``fsdp`` axis (each device keeps a slice of every
large array); the loss *computes* on whole arrays, which ``gather`` assembles inside the step, those of a transformer one
block at a time. Differentiating through an all-gather turns it into a reduce-scatter, so gradients come back as the same
slices.

Layers too wide for one device are split over a third axis, ``tensor``, for good: the compiler lays their products out over it.
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
"""Mesh axes that the batch is split over; ``fsdp`` splits parameters, too. The step does what goes on between them by hand."""

TENSOR = "tensor"
"""The third axis, of the meshes that have one: it splits wide layers, and the compiler does what goes on along it."""

Rule = Callable[[tuple[int, ...], Mesh], P]


def make_mesh(devices: Sequence[jax.Device] | None = None, *, fsdp: int = 1, tensor: int = 1) -> Mesh:
    """Returns a (data, fsdp) mesh over ``devices`` (all of them by default); several slices are split over ``data`` first.

    Args:
      devices: the devices to use.
      fsdp: how many devices, or groups of ``tensor`` devices, share one copy of the state; 1 replicates it everywhere.
      tensor: how many devices share one part of the batch, and the wide layers; above 1 the mesh has a third axis for them.

    Raises:
      ValueError: the device count is not a multiple of ``fsdp`` times ``tensor``.

    >>> make_mesh(jax.devices()[:1]).shape["data"]
    1
    """
    devices = jax.devices() if devices is None else list(devices)
    if fsdp < 1 or tensor < 1 or len(devices) % (fsdp * tensor):
        given = f"fsdp={fsdp}" if tensor == 1 else f"fsdp={fsdp} x tensor={tensor}"
        raise ValueError(f"{given} does not divide the {len(devices)} devices; choose a divisor")
    wide = {TENSOR: tensor} if tensor > 1 else {}
    shape, names = (len(devices) // (fsdp * tensor), fsdp, *wide.values()), (*AXES, *wide)
    # Auto, not the Explicit default: a network of the user's own may hold products that have no layout on an Explicit mesh.
    return Mesh(_place(devices, shape), names, axis_types=(AxisType.Auto,) * len(names))


def _place(devices: Sequence[jax.Device], shape: tuple[int, ...]):
    """The devices as an array, in which neighbours along the later axes are near each other."""
    slices = len({getattr(device, "slice_index", 0) for device in devices})
    if slices == 1:
        return mesh_utils.create_device_mesh(shape, devices, allow_split_physical_axes=True)
    if shape[0] % slices:  # one copy of the state lies in several slices
        return np.array(sorted(devices, key=lambda device: (device.slice_index, device.id))).reshape(shape)
    # Between slices there is but a data-centre network, and one sum of gradients per step is the least to send over it.
    within, between = (shape[0] // slices, *shape[1:]), (slices, *(1 for _ in shape[1:]))
    return mesh_utils.create_hybrid_device_mesh(within, between, devices, allow_split_physical_axes=True)


def shares(mesh: Mesh) -> int:
    """How many equal parts a batch is split into."""
    return math.prod(mesh.shape[axis] for axis in AXES)


def sharers(mesh: Mesh) -> str:
    """Who gets such a part, for messages: ``8 devices``, or ``4 groups of 2 devices``."""
    devices = mesh.size // shares(mesh)
    return f"{mesh.size} devices" if devices == 1 else f"{shares(mesh)} groups of {devices} devices"


def replicate(shape: tuple[int, ...], mesh: Mesh) -> P:
    """Rule: every device keeps the whole array."""
    del shape, mesh
    return P()


def shard_largest(min_size: int = 2**14, *, first: int = 0, wide: int | None = None) -> Rule:
    """Rule: split the largest dimension that ``fsdp`` divides; arrays under ``min_size`` elements stay whole.

    Args:
      min_size: elements of the smallest array that is split.
      first: dimensions before this one stay whole.
      wide: this dimension, counted from the end, is that of ``tensor``, where the mesh has such an axis and it divides it.
    """

    def rule(shape: tuple[int, ...], mesh: Mesh) -> P:
        if math.prod(shape) < min_size:
            return P()
        axes: list[str | None] = [None] * len(shape)
        tensor, fsdp = mesh.shape.get(TENSOR, 1), mesh.shape["fsdp"]
        if wide is not None and tensor > 1 and len(shape) >= -wide and shape[wide] % tensor == 0:
            axes[wide] = TENSOR
        candidates = [d for d, n in enumerate(shape) if d >= first and n % fsdp == 0 and not axes[d]]
        if fsdp > 1 and candidates:
            axes[max(candidates, key=lambda d: shape[d])] = "fsdp"
        while axes and axes[-1] is None:
            axes.pop()
        return P(*axes)

    return rule


def table(min_size: int = 2**14) -> tuple[tuple[str, Rule], ...]:
    """The sharding table of all methods.

    Of a block's MLP ``tensor`` splits the first layer by columns and the second by rows, so that each device goes on with what it
    has computed, and one sum ends it. Prototypes, the layers of heads and the vocabulary are split, too; attention is not.

    Args:
      min_size: see ``shard_largest``.
    """

    def rule(**options) -> Rule:
        return shard_largest(min_size, **options)

    return (
        (r"(^|/)blocks/.*fc1/", rule(first=1, wide=-1)),  # a scan takes blocks apart along the first dimension
        (r"(^|/)blocks/.*fc2/kernel$", rule(first=1, wide=-2)),
        (r"(^|/)blocks/", rule(first=1)),
        (r"(^|/)(fc1|dense\d+|last_layer|prototypes)/", rule(wide=-1)),
        (r"(^|/)(fc2/kernel|embedding)$", rule(wide=-2)),
        (".*", rule()),
    )


DEFAULT_RULES = table()

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


def by_hand(specs):
    """The same PartitionSpecs as shard_map takes them: without ``tensor``, which is the compiler's."""
    return jax.tree.map(lambda spec: P(*(axis if axis in AXES else None for axis in spec)), specs)


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
        """The whole array; what ``tensor`` splits stays split."""
        if TENSOR not in self.spec:
            return self._gather(self.value)
        # By hand along this axis, too: what the compiler is to lay out it would first make whole before it is gathered.
        kept = P(*(axis if axis == TENSOR else None for axis in self.spec))
        return jax.shard_map(self._gather, axis_names={TENSOR}, in_specs=kept, out_specs=kept)(self.value)

    def _gather(self, leaf: jax.Array) -> jax.Array:
        spec = by_hand(self.spec)
        if any(spec):
            # Each device uses an array of its own: gradients are scattered first, and only slices are summed over ``data``.
            missing = tuple(axis for axis in AXES if axis not in jax.typeof(leaf).manual_axis_type.varying)
            leaf = jax.lax.pcast(leaf, missing, to="varying") if missing else leaf
        for dimension, axis in enumerate(spec):
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
    """Examples are split over ``AXES``."""
    return NamedSharding(mesh, P(AXES))


def place(array, sharding: NamedSharding) -> jax.Array:
    """An array that every process holds whole -> a global one: each process copies what its devices keep."""
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])
