"""What every feed asks of a batch."""

from jax.sharding import Mesh

__all__ = ["check_batch"]


def check_batch(global_batch: int, mesh: Mesh, num_examples: int, hosts: int = 1) -> None:
    """Raises ValueError unless every device gets the same number of examples and a batch has no example twice."""
    if global_batch < 1 or global_batch % mesh.size:
        near = max(mesh.size, round(global_batch / mesh.size) * mesh.size)
        raise ValueError(
            f"global batch {global_batch} is not divisible by the {mesh.size} devices that share it; use {near} or "
            f"another multiple of {mesh.size}"
        )
    if global_batch % hosts:
        raise ValueError(f"global batch {global_batch} is not divisible by {hosts} hosts; use a multiple of {hosts}")
    if global_batch > num_examples:
        raise ValueError(
            f"global batch {global_batch} is larger than the data set of {num_examples} examples; use a smaller batch"
        )
