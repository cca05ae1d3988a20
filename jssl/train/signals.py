"""SIGTERM and SIGINT asked of a run: the first one saves and leaves, a second SIGINT leaves at once.

Of several processes each may get its own, or one alone: JAX's runtime makes the processes agree on the step after which all
of them stop.
"""

import os
import signal
import sys
import threading

import jax
from jax.experimental import multihost_utils

__all__ = ["EXIT_CODES", "StopSignals"]

EXIT_CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}
"""128 + the signal's number: 143 is what schedulers take for a requeue."""


class StopSignals:
    """Notes SIGTERM and SIGINT while the context is open; the loop saves and leaves after the step under way.

    A thread reads them from Python's wake-up pipe, because a handler written in Python waits for the main thread, which may
    be compiling for a minute. Outside the main thread nothing can be installed, and nothing is: whoever runs there stops
    the run in their own way.

    Where processes have joined, SIGTERM is left to JAX, which has noted it since then, and SIGINT is handed on to it.

    Attributes:
      requested: the first signal that came to this process, or None.
    """

    requested: signal.Signals | None = None

    def __enter__(self):
        self._alone = not jax.distributed.is_initialized()
        self._installed = threading.current_thread() is threading.main_thread()
        if not self._installed:
            return self
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self._wakeup = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        numbers = EXIT_CODES if self._alone else (signal.SIGINT,)
        self._handlers = {number: signal.signal(number, lambda *_: None) for number in numbers}
        self._watcher = threading.Thread(target=self._watch, name="signals", daemon=True)
        self._watcher.start()
        return self

    def asked(self, step: int) -> signal.Signals | None:
        """The signal for which the run is to stop now; None to go on.

        All processes stop at one step, whichever of them got a signal; those that got none go by SIGTERM.

        Args:
          step: where the run is; all processes ask at the same steps, once at each.
        """
        if self._alone:
            return self.requested
        if multihost_utils.reached_preemption_sync_point(step):
            return self.requested or signal.SIGTERM
        return None

    def _watch(self):
        while byte := os.read(self._read_end, 1):
            if byte[0] in EXIT_CODES:
                self._note(signal.Signals(byte[0]))

    def _note(self, number: signal.Signals):
        if number is signal.SIGINT:
            if self.requested is signal.SIGINT:
                os._exit(EXIT_CODES[number])
            print(
                "\njssl: interrupted: saving after this step; once more to leave at once", file=sys.stderr, flush=True
            )
            if not self._alone:
                os.kill(os.getpid(), signal.SIGTERM)
        self.requested = number

    def __exit__(self, *error):
        if self._installed:
            signal.set_wakeup_fd(self._wakeup)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            os.close(self._write_end)  # ends the watcher
            self._watcher.join()
            os.close(self._read_end)
