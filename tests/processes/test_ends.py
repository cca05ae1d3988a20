"""How several processes end: all of them, by one signal, one refusal, or the loss of one, in bounded time and with a line."""

import os
import signal
import subprocess
import sys

import launched
import pytest
from launched import ends, lines, pretrain, start, wait_for
from runs import write_recipe

from jssl.peers import LOST

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes")]

ENDLESS = ["steps=1000000", "run.checkpoint_every=1000000"]


@pytest.fixture
def running(tmp_path, cache):
    """(processes, workdir) of a run that would go on for long."""
    workdir = tmp_path / "w"
    command = pretrain(write_recipe(tmp_path, "mae", 8), workdir, *ENDLESS)
    processes = start(command, cache, JSSL_HEARTBEAT=6)
    wait_for(lambda: lines(workdir) >= 3, processes)
    yield processes, workdir
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("number", "whom", "codes"), [(signal.SIGTERM, 1, [143, 143]), (signal.SIGINT, 0, [130, 143])])
def test_a_signal_to_any_of_them_saves_one_step_and_stops_all(number, whom, codes, running):
    processes, workdir = running
    processes[whom].send_signal(number)
    found = ends(processes)
    assert [code for code, _ in found] == codes
    (step,) = os.listdir(workdir / "checkpoints")
    assert found[0][1].count(f"{number.name}: saved step {step} in {workdir}") == 1
    assert "saved step" not in found[1][1] and not (workdir / "lock").exists()


def test_one_that_is_killed_ends_the_others_with_a_line_that_names_it(running):
    """Whether the others find out by an error of a collective or wait in one."""
    processes, _ = running
    processes[1].kill()
    ((code, said),) = ends(processes[:1], timeout=60)
    who = f"process 1 of 2 (pid {processes[1].pid} on {os.uname().nodename})"
    assert (code, said) == (LOST, f"jssl: {who} gives no sign of life for 6 s\n")


COLLECTIVES = """
import time
from jssl import processes
processes.initialise()
print("ready", flush=True)
while processes.agree(True):
    time.sleep(0.05)
"""


@pytest.mark.parametrize(("whom", "line"), [(1, "process 1 of 2 (pid {pid}"), (0, "process 0 of 2, localhost:")])
def test_one_that_is_stopped_is_named_too(whom, line, tmp_path):
    processes = start([sys.executable, "-c", COLLECTIVES], tmp_path, stdout=subprocess.PIPE, JSSL_HEARTBEAT=5)
    try:
        for process in processes:
            while process.stdout.readline() != "ready\n":  # Gloo writes there, too
                assert process.poll() is None
        processes[whom].send_signal(signal.SIGSTOP)
        ((code, said),) = ends([processes[1 - whom]], timeout=60)
        assert code == LOST and said.startswith("jssl: " + line.format(pid=processes[whom].pid))
        assert said.count("\n") == 1
    finally:
        processes[whom].kill()
        processes[whom].communicate()


def test_what_one_of_them_refuses_ends_all_with_its_line(tmp_path, cache):
    """The others would wait for it in the first collective."""
    command = pretrain(write_recipe(tmp_path, "mae", 8), tmp_path / "w", *ENDLESS)
    script = 'test $JSSL_PROCESS = 0 || set -- "$@" --config.sed=1; exec "$@"'
    (first, told), (second, said) = ends(start(["sh", "-c", script, "sh", *command], cache), timeout=100)
    line = "no config key 'sed'; did you mean 'seed'?\n"
    assert (first, second, said) == (2, 2, f"jssl: {line}")
    assert told.endswith(f"jssl: process 1 of 2 on {os.uname().nodename}: {line}")


HANGS = """
import time
import jax.numpy as jnp
from jssl import processes
from jssl.train.watchdog import Watchdog
processes.initialise()
with Watchdog(6) as watchdog:
    for step in range(100):
        if step == 5 and not processes.first():
            time.sleep(100)  # its data do not come
        watchdog.started(step, jnp.float32(step))
        processes.agree(True)
"""


def test_one_that_hangs_is_named_by_the_watchdog(tmp_path):
    processes = start([sys.executable, "-c", HANGS], tmp_path)
    (first, told), (second, _) = ends(processes, timeout=60)
    assert first == second == LOST and 'File "<string>", line 12' in told  # the stack
    assert told.splitlines()[-1].endswith(
        f"; process 1 of 2 (pid {processes[1].pid} on {os.uname().nodename}) is at step 4"
    )


def test_an_error_in_a_script_of_ones_own_ends_all(tmp_path):
    code = "import time; from jssl import processes as p; p.initialise(); p.first() or 1 / 0; time.sleep(100)"
    (first, told), (second, said) = ends(start([sys.executable, "-c", code], tmp_path), timeout=60)
    assert first == second == 1 and said.count("ZeroDivisionError: division by zero") == 2  # traceback and line
    assert told.endswith(f"jssl: process 1 of 2 on {os.uname().nodename}: ZeroDivisionError: division by zero\n")


def test_what_all_of_them_refuse_is_said_once(tmp_path, cache):
    command = pretrain(write_recipe(tmp_path, "mae", 8), tmp_path / "w", "data.batch_size=3")
    (first, said), (second, unsaid) = ends(start(command, cache))
    assert first == second == 2 and unsaid == ""
    assert said.startswith("jssl: data.batch_size=3 is not divisible by 2 devices") and said.count("\n") == 1


def test_one_that_never_comes_ends_the_others_in_time(tmp_path):
    code = "from jssl import processes; processes.initialise(timeout=2)"
    program = [sys.executable, "-c", code]
    variables = {"JSSL_COORDINATOR": "localhost:1", "JSSL_PROCESSES": 2, "JSSL_PROCESS": 1}
    waiting = launched.launch(program, [], [], tmp_path, **variables)
    _, said = waiting.communicate(timeout=60)
    assert waiting.returncode == LOST and said.startswith("jssl: not all processes came within 2 s")
