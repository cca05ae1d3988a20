"""A step that does not end, or none that begins, ends the process; in processes of their own."""

import subprocess
import sys

import pytest

STUCK = """
import time
import jax.numpy as jnp
from jssl.train.watchdog import Watchdog

def never_comes_back():
    time.sleep(100)

with Watchdog({least}) as watchdog:
    time.sleep(1.5)  # compiling: however long it takes
    for step in range(4):
        watchdog.started(step, jnp.float32(step))
        time.sleep(0.06)
    with watchdog.paused():
        time.sleep(4)
    print("alive", flush=True)
    if {stuck}:
        never_comes_back()
"""


def run(least, stuck):
    command = [sys.executable, "-c", STUCK.format(least=least, stuck=stuck)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.slow
def test_a_run_that_hangs_is_ended_with_its_stacks_and_a_line():
    done = run(least=0.6, stuck=True)
    assert (done.returncode, done.stdout) == (75, "alive\n")
    assert "in never_comes_back" in done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("jssl: no step has ended for ") and "none was started after step 3" in line


@pytest.mark.slow
def test_it_can_be_turned_off():
    done = run(least=0, stuck=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")
