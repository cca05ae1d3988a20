"""What every feed shares: where a batch lives and which sizes it can have."""

from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

__all__ = ["batch_sharding", "check_batch"]


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """The batch axis split over all devices of the 'data' and 'fsdp' axes.

    >>> batch_sharding(jax.make_mesh((1, 1), ("data", "fsdp"))).spec
    PartitionSpec(('data', 'fsdp'),)
    """
    return NamedSharding(mesh, P(tuple(name for name in ("data", "fsdp") if name in mesh.axis_names)))


def check_batch(global_batch: int, mesh: Mesh, num_examples: int, hosts: int = 1) -> None:
    """Raises ValueError unless every device gets the same number of examples and a batch has no example twice."""
    devices = 1
    for name in ("data", "fsdp"):
        devices *= mesh.shape.get(name, 1)
    if global_batch < 1 or global_batch % devices:
        near = max(devices, round(global_batch / devices) * devices)
        raise ValueError(
            f"global batch {global_batch} is not divisible by the {devices} devices that share it; use {near} or "
            f"another multiple of {devices}"
        )
    if global_batch % hosts:
        raise ValueError(f"global batch {global_batch} is not divisible by {hosts} hosts; use a multiple of {hosts}")
    if global_batch > num_examples:
        raise ValueError(
            f"global batch {global_batch} is larger than the data set of {num_examples} examples; use a smaller batch"
        )
