"""Signals asked of a run, in processes of their own: noted at once, even while the main thread does not run Python."""

import signal
import subprocess
import sys
import threading

import pytest

from jssl.train.signals import StopSignals

BUSY = """
import ctypes, sys, time
from jssl.train.signals import EXIT_CODES, StopSignals
with StopSignals() as signals:
    print("ready", flush=True)
    deadline = time.monotonic() + 60
    while signals.requested is None and time.monotonic() < deadline:
        ctypes.CDLL(None).sched_yield()
    if {stuck}:  # in a call that never comes back to Python, as in a long compilation; it is made anew after a signal
        while True:
            ctypes.CDLL(None).usleep(60_000_000)
sys.exit(EXIT_CODES[signals.requested])
"""


def start(stuck=False):
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY.format(stuck=stuck)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_first_signal_is_noted(number, code):
    process = start()
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert errors.strip().count("\n") == 0 and ("once more to leave at once" in errors) == (number == signal.SIGINT)


def test_a_second_interrupt_leaves_at_once():
    with start(stuck=True) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == "\n" and "interrupted" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130


def test_handlers_are_given_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with StopSignals() as signals:
        assert signal.getsignal(signal.SIGINT) is not before[0]
        assert signals.requested is None
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert signal.set_wakeup_fd(-1) == -1


def test_another_thread_leaves_signals_alone():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def run():
        with StopSignals() as signals:
            seen.append((signal.getsignal(signal.SIGTERM), signals.requested))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [(before, None)]
