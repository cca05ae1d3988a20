"""Devices by name, whether this machine has them or not: ``v5e:4x4``, ``h100:8``, ``cpu:8``."""

import importlib.util
import math
import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import jax
from jax.experimental import topologies

from jssl.hints import nearest
from jssl.plan import gpus
from jssl.plan.chips import CHIPS, Chip

__all__ = ["Topology", "find"]

_LIBTPU = {
    "TPU_SKIP_MDS_QUERY": "1",  # there may be no cloud's metadata server to ask
    "TPU_ACCELERATOR_TYPE": "v5litepod-1",  # of this machine, which has none: libtpu complains unless told something
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_STDERR_LOG_LEVEL": "3",
    "TPU_MIN_LOG_LEVEL": "3",
    "TPU_LOG_DIR": "disabled",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # to compile takes no chip from another process
}


class Topology(NamedTuple):
    """Devices that a program can be compiled for.

    Attributes:
      name: as it was asked for.
      devices: of JAX; those that are not here can be compiled for, and no more.
      chip: what each is; None for a CPU.
      chips: how many there are.
      options: for XLA, to compile for them.
    """

    name: str
    devices: list
    chip: Chip | None
    chips: int
    options: Mapping[str, bool | int] = MappingProxyType({})


def find(name: str) -> Topology:
    """The topology of a name.

    Args:
      name: "v5e:4x4", "v5p:2x2x2" ...: a TPU slice, by libtpu. "h100:8", "h100:4x8": one host of eight GPUs, or four of them,
        by JAX's CUDA plugin. "cpu:8": so many CPU devices.

    Raises:
      ValueError: no such chip, a slice that is not made, or libtpu or the plugin is not installed.

    >>> find("cpu:1").chips
    1
    """
    kind, _, shape = name.partition(":")
    if not re.fullmatch(r"\d+(x\d+)*", shape) or not math.prod(sizes := [int(n) for n in shape.split("x")]):
        raise ValueError(f"topology {name!r}: write <chip>:<shape>, such as v5e:4x4, v5p:2x2x2, h100:8 or cpu:8")
    if kind == "cpu":
        return Topology(name, _cpus(math.prod(sizes)), None, math.prod(sizes))
    if kind not in CHIPS:
        raise ValueError(f"no chip {kind!r} is known{nearest(kind, [*CHIPS, 'cpu'])}")
    if kind in gpus.GPUS:
        return _gpus(name, kind, sizes)
    return Topology(name, _tpus(name), CHIPS[kind], math.prod(sizes))


def _gpus(name: str, kind: str, sizes: list[int]) -> Topology:
    if len(sizes) > 2:
        raise ValueError(f"topology {name}: write {kind}:8 for eight GPUs, {kind}:4x8 for four hosts of eight")
    (hosts, each), chip = (1, *sizes)[-2:], CHIPS[kind]
    if hosts > 1:
        if not chip.network:
            raise ValueError(
                f"topology {name}: what connects hosts of {kind} is not known; plan for one, {kind}:{each}"
            )
        # Rings through all hosts enter each of them through all its network cards at once.
        chip = chip._replace(links=min(chip.links, each * chip.network))
    return Topology(name, gpus.devices(name, hosts, each), chip, hosts * each, gpus.OPTIONS)


def _cpus(count: int) -> list:
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:  # JAX has started: what it has is what there is
        pass
    devices = jax.devices("cpu")
    if len(devices) < count:
        raise ValueError(
            f"topology cpu:{count}: this process has {len(devices)} CPU devices already; set "
            f"XLA_FLAGS=--xla_force_host_platform_device_count={count}"
        )
    return devices[:count]


def _tpus(name: str) -> list:
    if importlib.util.find_spec("libtpu") is None:
        raise ValueError(
            f"topology {name}: libtpu compiles for TPUs and is not installed; pip install 'jssl[tpu]', or plan for cpu:8"
        )
    for variable, value in _LIBTPU.items():
        os.environ.setdefault(variable, value)
    try:
        return list(topologies.get_topology_desc(platform="tpu", topology_name=name).devices)
    except RuntimeError as error:
        said = str(error).splitlines()[0].partition(": ")[2]
        raise ValueError(
            f"topology {name}: {said}; write a slice that is made, such as v5e:4x4 or v5p:2x2x2"
        ) from error
