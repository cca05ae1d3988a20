"""What the makers' data sheets say of the devices that a run may be planned for."""

from typing import NamedTuple

__all__ = ["CHIPS", "Chip"]


class Chip(NamedTuple):
    """One chip.

    Attributes:
      flops: bfloat16 products, operations a second.
      memory: bytes of its main memory that a program can have.
      bandwidth: of that memory, bytes a second.
      links: bytes a second that it can send to its neighbours, all links together.
      devices: as which JAX shows it.
    """

    flops: float
    memory: float
    bandwidth: float
    links: float
    devices: int = 1


GIB = 2**30
CHIPS: dict[str, Chip] = {
    # Cloud TPU documentation, system architecture; the memory is what libtpu 0.0.50 lets a program have.
    "v5e": Chip(197e12, 15.75 * GIB, 819e9, 200e9),
    "v5p": Chip(459e12, 95.73 * GIB, 2765e9, 600e9),
    "v6e": Chip(918e12, 31.24 * GIB, 1640e9, 448e9),
    "tpu7x": Chip(2307e12, 2 * 94.74 * GIB, 7380e9, 600e9, devices=2),
}
"""By the name that a topology starts with. A CPU is not among them: ``jssl bench`` measures it."""
