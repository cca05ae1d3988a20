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
      network: bytes a second that it can send to other hosts, where its links do not lead there; 0 if it has no such network.
    """

    flops: float
    memory: float
    bandwidth: float
    links: float
    devices: int = 1
    network: float = 0


MIB, GIB = 2**20, 2**30
SHARE = 0.75
"""Of a GPU's memory JAX takes three quarters when it starts, unless XLA_PYTHON_CLIENT_MEM_FRACTION says otherwise."""
CHIPS: dict[str, Chip] = {
    # Cloud TPU documentation, system architecture; the memory is what libtpu 0.0.50 lets a program have.
    "v5e": Chip(197e12, 15.75 * GIB, 819e9, 200e9),
    "v5p": Chip(459e12, 95.73 * GIB, 2765e9, 600e9),
    "v6e": Chip(918e12, 31.24 * GIB, 1640e9, 448e9),
    "tpu7x": Chip(2307e12, 2 * 94.74 * GIB, 7380e9, 600e9, devices=2),
    # NVIDIA's data sheets of A100 80GB SXM, H100 SXM, H200 SXM and HGX B200, products without sparsity; NVLink one way, which is
    # half of what is quoted; the network cards of DGX A100 (200 Gb/s a GPU), DGX H100, H200 and B200 (400 Gb/s). RTX 4090: Ada
    # whitepaper, products summed in float32; PCIe 4.0 x16.
    "a100": Chip(312e12, SHARE * 81_158 * MIB, 2039e9, 300e9, network=25e9),
    "h100": Chip(989.4e12, SHARE * 81_008 * MIB, 3352e9, 450e9, network=50e9),
    "h200": Chip(989.4e12, SHARE * 144_384 * MIB, 4800e9, 450e9, network=50e9),
    "b200": Chip(2250e12, SHARE * 182_642 * MIB, 7672e9, 900e9, network=50e9),
    "rtx4090": Chip(165.2e12, SHARE * 24_217 * MIB, 1008e9, 31.5e9),
}
"""By the name that a topology starts with. A CPU is not among them: ``jssl bench`` measures it."""
