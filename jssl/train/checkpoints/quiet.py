"""Orbax without its tracebacks: an error that it raises is told once, by whoever catches it."""

import logging
import sys
import warnings


class _Quiet(logging.Filter):
    """Keeps back what Orbax says about an error that it also raises: a traceback per thread, dumps of broken files.

    As a log filter it drops these for good. As a context, for reading, also what Python reports of the tasks that Orbax
    leaves behind when one of them fails.
    """

    reading = False

    def filter(self, record: logging.LogRecord) -> bool:
        text = str(record.msg)
        return not (
            (self.reading and (record.name == "asyncio" or "orbax" in record.pathname))
            or "_SignalingThread.run() raised an exception" in text
        )

    def __enter__(self):
        self.reading = True
        self._hooks = sys.unraisablehook, sys.excepthook
        sys.unraisablehook = sys.excepthook = lambda *_: None
        self._warnings = warnings.catch_warnings(action="ignore", category=RuntimeWarning)  # coroutine never awaited
        self._warnings.__enter__()

    def __exit__(self, *error):
        self._warnings.__exit__(*error)
        sys.unraisablehook, sys.excepthook = self._hooks
        self.reading = False


def hush_closed_loops() -> None:
    """From now on keeps back what threads of tensorstore print, one traceback per array, after a save has failed: that the loop
    which waited for them is closed. They do so at any time until the process ends, so this is not undone."""
    before = sys.unraisablehook
    if getattr(before, "hushed", False):
        return

    def hook(unraisable):
        error = unraisable.exc_value
        if not (isinstance(error, RuntimeError) and str(error) == "Event loop is closed"):
            before(unraisable)

    hook.hushed = True  # type: ignore[attr-defined]
    sys.unraisablehook = hook


quiet = _Quiet()
logging.getLogger("absl").addFilter(quiet)
logging.getLogger("asyncio").addFilter(quiet)
