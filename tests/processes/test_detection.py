"""Where the processes of a run are found: in the variables of launchers and schedulers."""

import os

import jax
import pytest

from jssl import processes

SRUN = {"SLURM_JOB_ID": "1", "SLURM_STEP_NODELIST": "n[1-2]", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
OURS = {"JSSL_COORDINATOR": "a:1", "JSSL_PROCESSES": "2", "JSSL_PROCESS": "1"}


@pytest.fixture
def env(monkeypatch):
    """Sets variables, in an environment without those of any cluster."""
    for name in list(os.environ):
        if name.startswith(("SLURM", "OMPI", "PMI", "TPU", "JOB_", "JSSL_P", "JSSL_C", "JAX_PLATFORMS")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TPU_SKIP_MDS_QUERY", "1")  # JAX has seen that there is no TPU here

    def put(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


def test_alone_nothing_happens(env):
    processes.initialise()
    assert not jax.distributed.is_initialized() and processes.first()
    assert processes.agree(True) and not processes.agree(False)
    assert processes.from_first(5) == 5 and processes.union({7, 2**40}) == {7, 2**40}


def test_launchers_of_our_own(env):
    env(**SRUN, SLURM_STEP_NUM_TASKS="2", **OURS)  # started inside a job: ours win
    told = processes._told()
    assert (told["coordinator_address"], told["num_processes"], told["process_id"]) == ("a:1", 2, 1)


@pytest.mark.parametrize(
    "wrong", [{"JSSL_PROCESSES": ""}, {"JSSL_PROCESS": "2"}, {"JSSL_PROCESS": "-1"}, {"JSSL_COORDINATOR": "a"}]
)
def test_variables_that_make_no_sense_are_refused(wrong, env):
    env(**OURS | wrong)
    with pytest.raises(ValueError, match="JSSL_COORDINATOR=.* give host:port"):
        processes.initialise()


def test_a_port_that_is_taken_is_refused(env):
    import socket

    with socket.socket() as holder:
        holder.bind(("", 0))
        holder.listen()
        env(**OURS | {"JSSL_COORDINATOR": f"localhost:{holder.getsockname()[1]}", "JSSL_PROCESS": "0"})
        with pytest.raises(OSError, match="port .* cannot be had"):
            processes.initialise()


@pytest.mark.parametrize(
    ("variables", "method"),
    [
        (SRUN | {"SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4"}, "slurm"),
        (
            SRUN | {"SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "1"},
            None,
        ),  # the shell of salloc: nobody starts the others
        ({"SLURM_JOB_ID": "1", "SLURM_NTASKS": "4", "SLURM_PROCID": "0"}, None),  # an sbatch script, without srun
        ({"OMPI_COMM_WORLD_SIZE": "2"}, "ompi"),
        ({"OMPI_COMM_WORLD_SIZE": "1"}, None),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, None),  # a notebook in a pod
    ],
)
def test_clusters(variables, method, env):
    env(**variables)
    assert (processes._found() or {}).get("cluster_detection_method") == method


@pytest.mark.parametrize(
    ("tasks", "local", "variables", "gpus"),
    [
        ("1(x2)", "0", {"SLURM_GPUS_ON_NODE": "8"}, list(range(8))),  # JAX alone would take one of the eight
        ("8(x2)", "3", {"SLURM_GPUS_ON_NODE": "8"}, [3]),
        ("4", "1", {"CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5,6,7"}, [2, 3]),
        ("8", "3", {"CUDA_VISIBLE_DEVICES": "5"}, [0]),  # bound: each task sees its own
        ("2", "0", {}, None),
    ],
)
def test_gpus_of_a_slurm_task(tasks, local, variables, gpus, env):
    env(**SRUN | {"SLURM_STEP_TASKS_PER_NODE": tasks, "SLURM_LOCALID": local, **variables})
    assert processes._gpus_of_task() == gpus
