"""The processes of one run: how they find each other, which is the first, and what they agree on.

JAX's runtime connects them; nothing here does anything in a run of one process.
"""

import importlib.util
import os
import socket
import threading
from collections.abc import Iterable

import jax
import numpy as np
from jax.experimental import multihost_utils

from jssl import peers

__all__ = ["agree", "first", "from_first", "initialise", "union"]

COORDINATOR, PROCESSES, PROCESS = "JSSL_COORDINATOR", "JSSL_PROCESSES", "JSSL_PROCESS"
"""What launch/ tells each process: ``host:port`` of the first one, how many there are, and which one it is, from 0."""


def initialise(*, timeout: float = 300) -> None:
    """Joins the other processes of this run, if there are any; to be called before any device is touched.

    They are found in the variables that ``launch/`` sets, in SLURM's and MPI's, on Cloud TPU slices and in Kubernetes'
    indexed jobs. From then on, a process that dies or hangs ends the others (``jssl.peers``). A second call does nothing.

    Args:
      timeout: seconds that it waits for the others.

    Raises:
      ValueError: the variables are incomplete or make no sense.
      OSError: the first process cannot have its port.

    >>> initialise()  # alone
    >>> first(), agree(True)
    (True, True)
    """
    if jax.distributed.is_initialized():
        return
    told = _told()
    found = _found() if told is None else told
    if found is None:
        return
    if told and told["process_id"] == 0:
        _check_port(told["coordinator_address"])
    # JAX would end the process with a dump of its C++ stack.
    alarm = threading.Timer(timeout, peers.missing, (timeout,))
    alarm.daemon = True
    alarm.start()
    try:
        jax.distributed.initialize(
            **found,
            initialization_timeout=int(timeout) + 60,
            heartbeat_timeout_seconds=3 * peers.silence() + 30,  # the dump again, should ``jssl.peers`` see nothing
        )
    except RuntimeError as error:  # of a cluster that lacks something
        raise ValueError(f"the other processes cannot be found: {' '.join(str(error).split())}") from error
    finally:
        alarm.cancel()
    if jax.process_count() > 1:
        peers.watch()


def first() -> bool:
    """Whether this is the process that writes and prints."""
    return jax.process_index() == 0


def agree(ok: bool) -> bool:
    """True on every process if ``ok`` is true on all of them. All must call it."""
    return ok if jax.process_count() == 1 else bool(np.all(multihost_utils.process_allgather(np.asarray(ok))))


def from_first(number: int) -> int:
    """The first process's number, on every process. All must call it."""
    return number if jax.process_count() == 1 else int(multihost_utils.broadcast_one_to_all(np.int32(number)))


def union(numbers: Iterable[int]) -> set[int]:
    """Numbers from 0 on that any of the processes has. All must call it."""
    own = np.asarray(sorted(numbers), np.int64)
    if jax.process_count() == 1:
        return set(own.tolist())
    longest = int(np.max(multihost_utils.process_allgather(np.int32(len(own)))))
    padded = np.pad(own, (0, longest - len(own)), constant_values=-1)
    # As two halves: JAX has no 64-bit numbers by default.
    high, low = (np.asarray(multihost_utils.process_allgather(half), np.int64) for half in np.divmod(padded, 2**31))
    return set((high * 2**31 + low)[high >= 0].tolist())


def _told() -> dict | None:
    """What ``launch/`` says."""
    values = [os.environ.get(name, "") for name in (COORDINATOR, PROCESSES, PROCESS)]
    if not any(values):
        return None
    address, count, number = values
    if ":" not in address or not count.isdecimal() or not number.isdecimal() or int(number) >= int(count):
        raise ValueError(
            f"{COORDINATOR}={address} {PROCESSES}={count} {PROCESS}={number}: give host:port of the first process, how "
            "many there are, and which one this is, from 0"
        )
    return {
        "coordinator_address": address,
        "num_processes": int(count),
        "process_id": int(number),
        "cluster_detection_method": "deactivate",  # it would pick GPUs by SLURM's variables, which may be around, too
    }


def _found() -> dict | None:
    """The cluster around this process, as arguments for JAX, which knows how to ask it; None where there is none.

    JAX is asked only where several processes have been started: an interactive SLURM step, or a notebook in a pod, carries
    variables of the whole job, and JAX would wait for processes that nobody starts.
    """
    env = os.environ
    if "SLURM_STEP_NODELIST" in env:
        if int(env.get("SLURM_STEP_NUM_TASKS") or env.get("SLURM_NTASKS") or 1) == 1:
            return None
        return {"cluster_detection_method": "slurm", "local_device_ids": _gpus_of_task()}
    for size in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE"):  # Open MPI; MPICH and Intel's
        if int(env.get(size) or 1) > 1:
            return {"cluster_detection_method": "mpi4py" if importlib.util.find_spec("mpi4py") else "ompi"}
    if "tpu" in (env.get("JAX_PLATFORMS") or "tpu") and importlib.util.find_spec("libtpu"):
        # JAX sets the latter, when it is imported, on machines without a TPU.
        if "TPU_WORKER_HOSTNAMES" in env or "TPU_SKIP_MDS_QUERY" not in env:
            return {}
    if "JOB_COMPLETION_INDEX" in env and importlib.util.find_spec("kubernetes"):
        return {}
    return None


def _gpus_of_task() -> list[int] | None:
    """The GPUs of this task: those of its node in equal parts. JAX by itself gives one to each task, however few these are.

    None leaves it to JAX, where SLURM tells no number.
    """
    env = os.environ
    visible = env.get("CUDA_VISIBLE_DEVICES")
    gpus = len(visible.split(",")) if visible else int(env.get("SLURM_GPUS_ON_NODE") or 0)
    tasks = int((env.get("SLURM_STEP_TASKS_PER_NODE") or "0").split("(")[0].split(",")[0])
    if not gpus or not tasks:
        return None
    if gpus < tasks:  # each task sees its own
        return list(range(gpus))
    share, local = gpus // tasks, int(env.get("SLURM_LOCALID") or 0)
    return list(range(local * share, (local + 1) * share))


def _check_port(address: str) -> None:
    port = int(address.rpartition(":")[2])
    with socket.socket(socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise OSError(f"port {port} of this machine cannot be had ({error.strerror}); give another one") from error
