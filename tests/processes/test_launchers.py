"""launch/: each script run where it can be, with stand-ins on this machine for ssh, srun and gcloud."""

import os
import pathlib
import signal
import stat
import subprocess
import sys
import time

import pytest
import yaml
from launched import ROOT

LAUNCH = ROOT / "launch"


def stand_in(folder, name: str, script: str) -> pathlib.Path:
    path = folder / name
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def run(folder, *command, **variables):
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)} | variables
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def ssh(folder, hosts, *command, options=()):
    stand_in(folder, "ssh", 'echo "$1" >> ' + f"{folder}/hosts" + '; shift; exec bash -c "$1"')
    return [sys.executable, str(LAUNCH / "ssh.py"), hosts, "--ssh", f"{folder}/ssh", *options, "--", *command]


@pytest.mark.parametrize("script", sorted(path.name for path in LAUNCH.glob("*.s[bh]*")))
def test_scripts_are_bash(script):
    subprocess.run(["bash", "-n", LAUNCH / script], check=True)


def test_local_tells_each_process_which_it_is(tmp_path):
    show = f'echo "$JSSL_COORDINATOR $JSSL_PROCESSES $JAX_NUM_CPU_DEVICES $JSSL_HEARTBEAT" > {tmp_path}/$JSSL_PROCESS'
    options = ["-n", "3", "--devices", "2", "--heartbeat", "9"]
    assert run(tmp_path, sys.executable, LAUNCH / "local.py", *options, "--", "sh", "-c", show).returncode == 0
    told = [(tmp_path / str(process)).read_text().split() for process in range(3)]
    assert len({address for address, *_ in told}) == 1 and all(rest == ["3", "2", "9"] for _, *rest in told)


def test_ssh_starts_one_process_on_each_host(tmp_path):
    show = f'pwd > {tmp_path}/$JSSL_PROCESS; echo "$JSSL_COORDINATOR $JSSL_PROCESSES it\'s" >> {tmp_path}/$JSSL_PROCESS'
    (tmp_path / "a b").mkdir()
    options = ["--directory", str(tmp_path / "a b"), "--port", "1234"]
    done = run(tmp_path, *ssh(tmp_path, "me@first,second", "sh", "-c", show, options=options))
    assert done.returncode == 0, done.stderr
    assert sorted((tmp_path / "hosts").read_text().split()) == ["me@first", "second"]
    assert [(tmp_path / str(process)).read_text() for process in range(2)] == [
        f"{tmp_path}/a b\nfirst:1234 2 it's\n"
    ] * 2


def test_ssh_names_the_host_that_failed(tmp_path):
    script = "test $JSSL_PROCESS = 0 || { echo why; exit 7; }; sleep 0.2"
    done = run(tmp_path, *ssh(tmp_path, "first,second", "sh", "-c", script, options=["--restarts", "0"]))
    assert done.returncode == 7
    assert "process 1 (on second) ended with code 7; its last lines:\n    why" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_ssh_passes_a_signal_on_and_leaves_nothing_behind_when_it_dies(number, tmp_path):
    """Whoever dies closes the connection, which the far side takes for SIGTERM."""
    script = f"trap 'touch {tmp_path}/got-$JSSL_PROCESS; exit 143' TERM; touch {tmp_path}/up-$JSSL_PROCESS; "
    script += "while :; do sleep 0.05; done"
    process = subprocess.Popen(
        ssh(tmp_path, "a,b", "sh", "-c", script), env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE
    )
    try:
        _wait(lambda: all((tmp_path / f"up-{i}").exists() for i in range(2)))
    finally:
        process.send_signal(number)
    _wait(lambda: all((tmp_path / f"got-{i}").exists() for i in range(2)))
    process.communicate(timeout=60)
    assert process.returncode == (143 if number == signal.SIGTERM else -signal.SIGKILL)


def _wait(ready):
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("code", "restarts", "ends", "requeued"),
    [(0, "", 0, False), (2, "", 2, False), (143, "", 0, True), (75, "9", 0, True), (75, "10", 75, False)],
)
def test_slurm_queues_the_job_again_unless_it_is_of_no_use(code, restarts, ends, requeued, tmp_path):
    stand_in(tmp_path, "srun", f'echo "$@" > {tmp_path}/asked; exit {code}')
    stand_in(tmp_path, "scontrol", f'echo "$@" > {tmp_path}/requeued')
    variables = {"SLURM_JOB_ID": "12", "SLURM_RESTART_COUNT": restarts}
    done = run(tmp_path, "bash", LAUNCH / "slurm.sbatch", "--config", "mae", "--workdir", "a b", **variables)
    assert done.returncode == ends
    assert (tmp_path / "asked").read_text().endswith("jssl pretrain --no-progress --config mae --workdir a b\n")
    assert (tmp_path / "requeued").exists() == requeued
    assert not requeued or (tmp_path / "requeued").read_text() == "requeue 12\n"


@pytest.mark.parametrize(("codes", "ends", "tries"), [("1 75 0", 0, 3), ("2", 2, 1), ("1 1 1 1", 1, 3)])
def test_tpu_vm_starts_again(codes, ends, tries, tmp_path):
    code = f'codes=({codes}); n=$(wc -l < {tmp_path}/asked); exit "${{codes[$((n - 1))]}}"'
    stand_in(tmp_path, "gcloud", f'echo "$*" >> {tmp_path}/asked; {code}')
    command = ["my-slice", "my-zone", "jssl", "pretrain", "--config", "it's:a"]
    done = run(tmp_path, "bash", LAUNCH / "tpu_vm.sh", *command, RETRIES="2", PAUSE="0")
    asked = (tmp_path / "asked").read_text().splitlines()
    assert done.returncode == ends and len(asked) == tries
    assert "tpu-vm ssh my-slice --zone=my-zone --worker=all" in asked[0]
    assert asked[0].endswith(r"exec jssl pretrain --config it\'s:a")


def test_tpu_vm_ends_what_an_earlier_try_left_on_a_worker(tmp_path):
    """The command that workers get, run as a worker would, in a home of its own."""
    stand_in(tmp_path, "gcloud", f'for last; do :; done; echo "${{last#--command=}}" > {tmp_path}/remote')
    run(tmp_path, "bash", LAUNCH / "tpu_vm.sh", "slice", "zone", "sleep", "60")

    def worker():
        home = os.environ | {"HOME": str(tmp_path)}
        return subprocess.Popen(["bash", "-c", (tmp_path / "remote").read_text()], env=home)

    workers = [worker()]
    _wait(lambda: (tmp_path / ".jssl.pid").exists() and (tmp_path / ".jssl.pid").read_text().strip())
    workers.append(worker())
    assert workers[0].wait(timeout=30) == -signal.SIGKILL and workers[1].poll() is None
    workers[1].kill()
    workers[1].wait()


def test_jobset_ends_for_good_only_where_starting_again_is_of_no_use():
    """Its job fits the schema of Kubernetes 1.31, and the set that of JobSet v1alpha2; here is what the run hangs on."""
    (jobset,) = yaml.safe_load_all((LAUNCH / "gke" / "jobset.yaml").read_text())
    assert (jobset["apiVersion"], jobset["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    (rule,) = jobset["spec"]["failurePolicy"]["rules"]
    assert (rule["action"], rule["onJobFailureReasons"]) == ("FailJobSet", ["PodFailurePolicy"])
    (replicated,) = jobset["spec"]["replicatedJobs"]
    job = replicated["template"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    (fails,) = job["podFailurePolicy"]["rules"]
    assert fails["onExitCodes"] == {"containerName": container["name"], "operator": "In", "values": [2]}
    assert job["parallelism"] == job["completions"] and job["backoffLimit"] == 0 and pod["restartPolicy"] == "Never"
    chips = container["resources"]["limits"]["google.com/tpu"]
    rows, columns = pod["nodeSelector"]["cloud.google.com/gke-tpu-topology"].split("x")
    assert job["completions"] * chips == int(rows) * int(columns)
    (mount,) = container["volumeMounts"]
    assert container["args"][container["args"].index("--workdir") + 1].startswith(mount["mountPath"])
    assert mount["name"] in {volume["name"] for volume in pod["volumes"]}
