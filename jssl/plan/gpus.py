"""NVIDIA GPUs that need not be there: what XLA must be told of a card to compile for it on a machine that has none."""

import importlib.util
from typing import NamedTuple

import jax
from jax.experimental import topologies

__all__ = ["GPUS", "OPTIONS", "Gpu", "devices", "target"]

OPTIONS: dict[str, bool | int] = {
    "xla_gpu_autotune_level": 0,  # there is no card to time kernels on
    "xla_gpu_enable_triton_gemm": False,  # untimed, Triton's would be split in ways that no timing would choose
}
"""Options for XLA: matrix products go to cuBLAS and convolutions to cuDNN, as the most of them do on a card."""


class Gpu(NamedTuple):
    """A card as its compiler sees it.

    Attributes:
      kind: its name, as JAX shows it.
      capability: compute capability.
      cores: streaming multiprocessors.
      lanes: float32 lanes of each.
      threads: that may live on one at a time.
      clock: at its highest, GHz.
      memory: bytes.
      bandwidth: of the memory, bytes a second.
      cache: of the second level, bytes.
      shared: bytes of shared memory of each core; a block may have 1 KiB less.
    """

    kind: str
    capability: tuple[int, int]
    cores: int
    lanes: int
    threads: int
    clock: float
    memory: int
    bandwidth: int
    cache: int
    shared: int


KIB, MIB = 2**10, 2**20
GPUS: dict[str, Gpu] = {
    # NVIDIA's architecture whitepapers (A100, H100, Ada, Blackwell) and the table of compute capabilities in the CUDA C
    # programming guide; the memory is what the driver shows.
    "a100": Gpu("NVIDIA A100-SXM4-80GB", (8, 0), 108, 64, 2048, 1.41, 81_158 * MIB, 2_039 * 10**9, 40 * MIB, 164 * KIB),
    "h100": Gpu(
        "NVIDIA H100 80GB HBM3", (9, 0), 132, 128, 2048, 1.98, 81_008 * MIB, 3_352 * 10**9, 50 * MIB, 228 * KIB
    ),
    "h200": Gpu("NVIDIA H200", (9, 0), 132, 128, 2048, 1.98, 144_384 * MIB, 4_800 * 10**9, 50 * MIB, 228 * KIB),
    "b200": Gpu("NVIDIA B200", (10, 0), 148, 128, 2048, 1.965, 182_642 * MIB, 7_672 * 10**9, 126 * MIB, 228 * KIB),
    "rtx4090": Gpu(
        "NVIDIA GeForce RTX 4090", (8, 9), 128, 128, 1536, 2.52, 24_217 * MIB, 1_008 * 10**9, 72 * MIB, 100 * KIB
    ),
}
"""By the name that a topology starts with."""


def devices(name: str, hosts: int, each: int) -> list:
    """Devices of JAX that programs can be compiled for, and no more.

    Args:
      name: of the topology, for messages; it starts with one of ``GPUS``.
      hosts: how many machines.
      each: GPUs of each of them.

    Raises:
      ValueError: JAX's CUDA plugin is not installed, or not of JAX's version.
    """
    version = jax.__version__
    install = f"pip install --no-deps jax-cuda13-plugin=={version} jax-cuda13-pjrt=={version}"
    if not _installed():
        raise ValueError(
            f"topology {name}: JAX's CUDA plugin compiles for GPUs and is not installed; {install}, or plan for cpu:8"
        )
    kind = name.partition(":")[0]
    try:
        described = topologies.get_topology_desc(
            platform="cuda", topology_name=kind, topology=f"1x{hosts}x{each}", target_config=target(GPUS[kind])
        )
    except (NotImplementedError, RuntimeError) as error:  # JAX could not load it, or XLA does not know the card
        raise ValueError(f"topology {name}: {str(error).splitlines()[0]}; {install}") from error
    return list(described.devices)


def _installed() -> bool:
    try:
        return any(importlib.util.find_spec(f"jax_plugins.xla_cuda{version}") for version in (12, 13))
    except ModuleNotFoundError:  # no plugin of any kind
        return False


def target(gpu: Gpu) -> str:
    """A card as XLA's GpuTargetConfigProto, in text; the limits of blocks and registers are those of all these cards.

    Args:
      gpu: the card.

    >>> "core_count: 132" in target(GPUS["h100"])
    True
    """
    major, minor = gpu.capability
    return f"""
      platform_name: "CUDA"
      device_description_str: "{gpu.kind}"
      dnn_version_info {{ major: 9 minor: 10 }}
      runtime_version {{ major: 13 }}
      gpu_device_info {{
        cuda_compute_capability {{ major: {major} minor: {minor} }}
        core_count: {gpu.cores}
        fpus_per_core: {gpu.lanes}
        clock_rate_ghz: {gpu.clock}
        device_memory_size: {gpu.memory}
        memory_bandwidth: {gpu.bandwidth}
        l2_cache_size: {gpu.cache}
        threads_per_warp: 32
        threads_per_block_limit: 1024
        threads_per_core_limit: {gpu.threads}
        thread_dim_limit_x: 1024 thread_dim_limit_y: 1024 thread_dim_limit_z: 64
        block_dim_limit_x: {2**31 - 1} block_dim_limit_y: 65535 block_dim_limit_z: 65535
        registers_per_block_limit: 65536
        registers_per_core_limit: 65536
        shared_memory_per_block: {48 * KIB}
        shared_memory_per_core: {gpu.shared}
        shared_memory_per_block_optin: {gpu.shared - KIB}
      }}
    """
