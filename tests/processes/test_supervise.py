"""The launchers' common part, on small programs of the shell."""

import signal
import subprocess
import sys
import time

import pytest
from launched import ROOT

PROGRAM = """
import pathlib, sys
from jssl.supervise import Start, supervise
tries = []
def starts():
    tries.append(None)
    return [Start(["sh", "-c", script.replace("TRY", str(len(tries)))]) for script in {scripts!r}]
code = supervise(starts, restarts={restarts})
print("tries", len(tries))
sys.exit(code)
"""


def start(*scripts, restarts=0):
    program = PROGRAM.format(scripts=scripts, restarts=restarts)
    return subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(*scripts, restarts=0):
    process = start(*scripts, restarts=restarts)
    out, errors = end(process)
    return process.returncode, out, errors


def end(process):
    with process:  # closes its pipes
        try:
            return process.communicate(timeout=60)
        finally:
            process.kill()


def test_all_end_well():
    code, out, errors = run("echo from the first", "echo from the second")
    assert (code, out, errors) == (0, "from the first\ntries 1\n", "")  # of the others nothing is seen


def test_one_that_is_killed_is_told_with_its_last_lines_and_ends_the_others():
    begin = time.monotonic()
    code, _, errors = run("exec sleep 0.3", "seq 1 100; kill -KILL $$")
    assert code == 128 + signal.SIGKILL and time.monotonic() - begin < 30
    assert errors.startswith("launch: process 1 (pid ") and "was killed by SIGKILL; its last lines:\n" in errors
    assert "    81\n" in errors and "    80\n" not in errors


def test_all_start_again_as_often_as_they_may():
    again = "launch: starting all 2 processes again"
    code, out, errors = run("exit 0", "test TRY = 3 || exit 75", restarts=5)
    assert code == 0 and out == "tries 3\n" and errors.count(again) == 2
    code, out, errors = run("exit 0", "exit 75", restarts=1)
    assert code == 75 and out == "tries 2\n" and errors.count(again) == 1


@pytest.mark.parametrize("code", [2, 130, 143])
def test_what_is_refused_or_stopped_is_not_started_again(code):
    assert run(f"exit {code}", "exec sleep 0.2", restarts=3)[:2] == (code, "tries 1\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_every_process(number, tmp_path):
    """Each writes a file when it gets it, and leaves as jssl does."""
    script = f"trap 'touch {tmp_path}/NAME; exit 143' TERM INT; touch {tmp_path}/up-NAME; while :; do sleep 0.05; done"
    process = start(*(script.replace("NAME", name) for name in "ab"), restarts=3)
    while not all((tmp_path / f"up-{name}").exists() for name in "ab"):
        time.sleep(0.02)
    process.send_signal(number)
    out, errors = end(process)
    assert (process.returncode, out, errors) == (143, "tries 1\n", "")
    assert all((tmp_path / name).exists() for name in "ab")


def test_a_signal_while_they_are_started_is_handed_on():
    """The first process sends it, when the second one has not been started."""
    process = start("kill -TERM $PPID; trap 'exit 143' TERM; while :; do sleep 0.05; done", "exec sleep 60", restarts=3)
    out, errors = end(process)
    assert (process.returncode, out, errors) == (143, "tries 1\n", "")
