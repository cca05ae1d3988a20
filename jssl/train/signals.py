"""SIGTERM and SIGINT asked of a run: the first one saves and leaves, a second SIGINT leaves at once."""

import os
import signal
import sys
import threading

__all__ = ["EXIT_CODES", "StopSignals"]

EXIT_CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}
"""128 + the signal's number: 143 is what schedulers take for a requeue."""


class StopSignals:
    """Notes SIGTERM and SIGINT while the context is open; the loop saves and leaves after the step under way.

    A thread reads them from Python's wake-up pipe, because a handler written in Python waits for the main thread, which may
    be compiling for a minute. Outside the main thread nothing can be installed, and nothing is: whoever runs there stops
    the run in their own way.

    Attributes:
      requested: the first signal that came, or None.
    """

    requested: signal.Signals | None = None

    def __enter__(self):
        self._installed = threading.current_thread() is threading.main_thread()
        if not self._installed:
            return self
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self._wakeup = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, lambda *_: None) for number in EXIT_CODES}
        self._watcher = threading.Thread(target=self._watch, name="signals", daemon=True)
        self._watcher.start()
        return self

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
        self.requested = number

    def __exit__(self, *error):
        if self._installed:
            signal.set_wakeup_fd(self._wakeup)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            os.close(self._write_end)  # ends the watcher
            self._watcher.join()
            os.close(self._read_end)
