"""Starts the processes of one run, passes signals on, says which one died, ends the others, and starts all again.

What ``launch/`` stands on. Imports the standard library alone: the machine that launches need not have JAX.
"""

import collections
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

__all__ = ["Start", "supervise"]

FINAL = (0, 2, 130, 143)
"""Exit codes after which starting again is of no use: done, bad input, and stopped by whoever asked."""

_SHOWN = 20  # last lines of the process that died
_LEAVE = 10.0  # seconds that the others have to end by themselves
_SAVE = 300.0  # the same when all were asked to save and stop


@dataclasses.dataclass(frozen=True)
class Start:
    """How to start one process.

    Attributes:
      command: and its arguments.
      env: variables added to those of this process.
      where: what messages call its machine; "" for this one.
      by_line: signals go to it as lines of its standard input, ``TERM`` say, and not to the local process.
    """

    command: Sequence[str]
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    where: str = ""
    by_line: bool = False


class _Process:
    """One of them; of the first one all output is seen, of the others the last lines when they die."""

    def __init__(self, number: int, start: Start):
        self.number, self.start = number, start
        self.lines: collections.deque[str] = collections.deque(maxlen=_SHOWN)
        streams: dict = {} if number == 0 else {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.popen = subprocess.Popen(
            start.command,
            env=os.environ | start.env,
            start_new_session=True,  # Ctrl-C is for this process to hand on, once
            stdin=subprocess.PIPE if start.by_line else subprocess.DEVNULL,
            text=True,
            errors="replace",
            **streams,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.popen.stdout or ():
            if not line.startswith("[Gloo]"):  # which tells every connection on a CPU
                self.lines.append(line)

    @property
    def code(self) -> int | None:
        return self.popen.poll()

    def send(self, number: signal.Signals) -> None:
        """A signal for the process."""
        if self.code is not None:
            return
        if self.start.by_line:
            try:
                assert self.popen.stdin is not None
                self.popen.stdin.write(f"{number.name.removeprefix('SIG')}\n")
                self.popen.stdin.flush()
            except OSError:  # it has just ended
                pass
        else:
            self.popen.send_signal(number)

    def kill(self) -> None:
        """Ends it, whatever it does, and whatever it started."""
        self.send(signal.SIGKILL)
        if self.start.by_line:
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()

    def told(self) -> str:
        """How it ended, and its last lines."""
        self._reader.join(1)
        where = f"on {self.start.where}" if self.start.where else f"pid {self.popen.pid}"
        code = self.popen.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        lines = "".join(f"    {line.rstrip()}\n" for line in self.lines)
        return f"process {self.number} ({where}) {how}" + (f"; its last lines:\n{lines.rstrip()}" if lines else "")


class _Signals:
    """Signals of this process, noted, and handed on by whoever waits: a handler would miss those that are being started."""

    def __init__(self):
        self.came = False
        self._new: collections.deque[int] = collections.deque()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number, _):
        self.came = True
        self._new.append(number)

    def hand_on(self, running: Sequence[_Process]) -> None:
        """Sends those that have come since to all; a terminal that is closed is a request to stop."""
        while self._new:
            number = signal.Signals(self._new.popleft())
            for process in running:
                process.send(signal.SIGTERM if number == signal.SIGHUP else number)


def supervise(starts: Callable[[], Sequence[Start]], *, restarts: int = 3) -> int:
    """Runs processes until all have ended well, or one has not and all were started as often as they may be.

    SIGTERM, SIGINT and SIGHUP of this process are handed to all of them. The first process is ended last: the others talk
    to each other through it.

    Args:
      starts: how to start each, the first one first; asked anew for every start.
      restarts: how often all are started again after one has died.

    Returns:
      0, or the exit code of the process that ended the run, 128 + n where signal n killed it.
    """
    signals = _Signals()
    for attempt in range(restarts + 1):
        running = [_Process(number, start) for number, start in enumerate(starts())]
        dead = _first_to_fail(running, signals)
        if dead is None:
            return 0
        code = dead.popen.returncode
        code = 128 - code if code < 0 else code
        if not signals.came:
            _say(dead.told())
        _end(running, signals, _SAVE if code in (130, 143) else _LEAVE)
        if signals.came or code in FINAL or attempt == restarts:
            return code
        _say(f"starting all {len(running)} processes again ({attempt + 1} of {restarts})")
    raise AssertionError


def _first_to_fail(running: Sequence[_Process], signals: _Signals) -> _Process | None:
    """Waits; None when all have ended well."""
    while True:
        signals.hand_on(running)
        codes = [process.code for process in running]
        if failed := [process for process, code in zip(running, codes) if code]:
            return failed[0]
        if all(code == 0 for code in codes):
            return None
        time.sleep(0.1)


def _end(running: Sequence[_Process], signals: _Signals, seconds: float) -> None:
    """Gives them time to end by themselves, then ends them, the first one last."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(process.code is None for process in running):
        signals.hand_on(running)
        time.sleep(0.1)
    for process in reversed(running):
        process.kill()


def _say(text: str) -> None:
    print(f"launch: {text}", file=sys.stderr, flush=True)
