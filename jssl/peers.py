"""How the processes of one run end together: whichever dies, hangs or refuses, the others end too, with a line that says so.

Every process gives a sign of life to JAX's coordination service, the key-value store in the first process; the first one
reads them all, and the others read what it found. JAX's own heartbeat does the same, slower, and ends a process with a dump
of its C++ stack, which names nobody; it stays as the second net. If the first process is killed the service is gone with
it, and JAX ends the others before anything here can.
"""

import atexit
import contextlib
import json
import os
import socket
import sys
import threading
import time
import traceback
from typing import Any, NoReturn

import jax
from jax._src import distributed  # the client of the coordination service has no public name

__all__ = ["LOST", "behind", "fail", "missing", "note", "silence", "watch"]

LOST = 75
"""Exit code when another process was lost: "temporary failure" in sysexits.h. Starting all of them again continues the run."""

_SIGNS, _ENDED, _LEFT = "jssl/signs/", "jssl/ended/", "jssl/left/"
_FIRST = 0


def silence() -> int:
    """Seconds without a sign of life after which a process is taken for dead: ``JSSL_HEARTBEAT``, 60 by default."""
    return int(os.environ.get("JSSL_HEARTBEAT") or 60)


class _Peers:
    """The thread of a process that gives its sign of life, and ends the process when another one is lost."""

    def __init__(self):
        self.client: Any = distributed.global_state.client
        self.number, self.count = jax.process_index(), jax.process_count()
        self.silence = silence()
        self.over = threading.Event()
        self._ending = threading.Lock()  # taken by whoever ends the process, and never given back
        self.step, self._signs = -1, 0
        self._seen: dict[int, tuple[str, float]] = {}
        self._answered = time.monotonic()  # by the first process
        # Daemons of their own, no executor: an executor ends before the exit handlers run.
        self._thread = threading.Thread(target=self._run, name="peers", daemon=True)
        self._guard_thread = threading.Thread(target=self._guard, name="peers-guard", daemon=True)

    def start(self) -> None:
        self._exchange(self._sign())  # from here on the first process knows who this one is
        self._thread.start()
        self._guard_thread.start()

    def stop(self) -> None:
        """The process comes to its end in peace."""
        self.over.set()
        self._thread.join(self.silence)

    def _run(self):
        beat = max(0.2, min(self.silence / 15, 2.0))
        while True:
            last = self.over.wait(beat)
            try:
                found = self._exchange("done" if last else self._sign())
            except Exception:  # JAX's own error of a service that is gone, and JAX ends the process by itself
                return
            self._answered = time.monotonic()
            if last:
                return
            if found:
                self.end(*found)

    def _sign(self) -> str:
        self._signs += 1
        return f"{self._signs} {self.step} {os.getpid()} {socket.gethostname()}"

    def _guard(self):
        """Ends the process when the first one, and with it the call of the other thread, has been stuck for too long."""
        while not self.over.wait(min(1.0, self.silence / 5)):
            if time.monotonic() - self._answered > self.silence:
                where = distributed.global_state.coordinator_address
                _say(f"process {_FIRST} of {self.count}, {where}, does not answer for {self.silence} s")
                os._exit(LOST)  # nothing can be told to anyone any more

    def _exchange(self, sign: str) -> tuple[int, str] | None:
        """Gives a sign of life; returns the reason to end, if there is one."""
        self.client.key_value_set(f"{_SIGNS}{self.number}", sign, allow_overwrite=True)
        if self.number == _FIRST and (silent := self._silent()):
            return LOST, silent
        ended = self.client.key_value_dir_get(_ENDED)
        return tuple(json.loads(ended[0][1])) if ended else None

    def _silent(self) -> str | None:
        """Whether one of them has given no sign for too long."""
        now = time.monotonic()
        signs = {int(key.rpartition("/")[2]): sign for key, sign in self.client.key_value_dir_get(_SIGNS)}
        for number in range(self.count):
            sign = signs.get(number, "")
            before, since = self._seen.get(number, (None, now))
            if sign != before or sign == "done":
                self._seen[number] = sign, now
            elif now - since > self.silence:
                return f"{self._name(number)} gives no sign of life for {self.silence} s"
        return None

    def _name(self, number: int) -> str:
        _, _, pid, host = (*self._seen.get(number, ("",))[0].split(), *[""] * 4)[:4]
        return f"process {number} of {self.count}" + (f" (pid {pid} on {host})" if host else "")

    def behind(self) -> str:
        """Those that have started fewer steps than others; the first process knows."""
        signs = {number: sign.split() for number, (sign, _) in self._seen.items()}
        steps = {number: int(sign[1]) for number, sign in signs.items() if len(sign) == 4}
        late = [number for number in steps if steps[number] < max(steps.values())]
        return "".join(f"; {self._name(number)} is at step {steps[number]}" for number in late[:3])

    def fail(self, code: int, reason: str) -> NoReturn:
        """Tells the others why this process ends, and ends it."""
        if self.number != _FIRST:
            with contextlib.suppress(Exception):  # without the service the others have ended already
                if not self._said_by_first(reason):
                    _say(reason)
                    told = f"process {self.number} of {self.count} on {socket.gethostname()}: {reason}"
                    self.client.key_value_set(f"{_ENDED}{self.number}", json.dumps([code, told]))
        self.end(code, reason)

    def _said_by_first(self, reason: str) -> bool:
        """Whether the first process says the same within three seconds: what all refuse alike, one tells."""
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            if any(json.loads(said)[1] == reason for _, said in self.client.key_value_dir_get(_ENDED)):
                return True
            time.sleep(0.1)
        return False

    def end(self, code: int, reason: str) -> NoReturn:
        """Ends the process; the first one tells the reason, and ends after the others, who hear it from there."""
        if not self._ending.acquire(blocking=False):
            time.sleep(3600)  # another thread is at it
        if self.number == _FIRST:
            _say(reason)
        with contextlib.suppress(Exception):  # it is to end, whatever the service says
            if self.number == _FIRST:
                self.client.key_value_set(f"{_ENDED}{_FIRST}", json.dumps([code, reason]))
                deadline = time.monotonic() + 5
                while time.monotonic() < deadline and len(self.client.key_value_dir_get(_LEFT)) < self.count - 1:
                    time.sleep(0.1)
            else:
                self.client.key_value_set(f"{_LEFT}{self.number}", "")
        sys.stdout.flush()
        os._exit(code)  # an orderly exit would wait for the others


_peers: _Peers | None = None


def watch() -> None:
    """Starts to watch the other processes, which do the same, until the interpreter exits."""
    global _peers
    _peers = _Peers()
    _peers.start()
    atexit.register(_leave)


def _leave() -> None:
    """At the end of the interpreter; of a script that an error ended, the others would wait for ever."""
    assert _peers is not None
    if (error := getattr(sys, "last_value", None)) is not None:
        fail(1, f"{type(error).__name__}: {error}", error)
    _peers.stop()


def note(step: int) -> None:
    """The step that this process has come to, for its sign of life."""
    if _peers is not None:
        _peers.step = step


def behind() -> str:
    """A clause on the processes that are not as far as the others; "" if there are none or it is not known here."""
    return "" if _peers is None else _peers.behind()


def fail(code: int, reason: str, error: BaseException | None = None, *, trace: bool = False) -> None:
    """Ends every process of the run, this one included, with an exit code and a line; returns if this one is alone.

    When all of them fail alike, as with a config that is refused, one tells it.

    Args:
      code: of the exit.
      reason: the line.
      error: what it comes from. One of JAX's runtime may come from another process that died: that one is told, if it is
        found within the time that it takes to miss it.
      trace: print the traceback of the error as well.
    """
    if _peers is not None:
        if _of_runtime(error):
            _peers.over.wait(_peers.silence + 10)
        if trace:
            traceback.print_exception(error)
        _peers.fail(code, reason)


def _of_runtime(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, jax.errors.JaxRuntimeError):
            return "RESOURCE_EXHAUSTED" not in str(error)
        error = error.__cause__ or error.__context__
    return False


def missing(timeout: float) -> NoReturn:
    """Ends the process: the others did not come."""
    _say(
        f"not all processes came within {timeout:.0f} s; see to it that all of them were started, and that each can "
        "reach the first one's host and port"
    )
    os._exit(LOST)


def _say(reason: str) -> None:
    print(f"jssl: {reason}", file=sys.stderr, flush=True)
