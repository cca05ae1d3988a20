"""The folder of a run: where it is, and that one run at a time writes there."""

import contextlib
import datetime
import fcntl
import json
import logging
import os
import pathlib
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator

from jssl import processes

__all__ = ["locked", "workdir_path", "write_json"]

logger = logging.getLogger(__name__)

FILE_NAME = "lock"
_BEAT = 30.0  # seconds between two signs of life
_DEAD = 300.0  # seconds without one after which a run on another host is over


def workdir_path(workdir: str | os.PathLike) -> pathlib.Path:
    """The path of a workdir, ``~`` expanded.

    Raises:
      ValueError: it is in a bucket, or is a file.

    >>> workdir_path("gs://bucket/run")
    Traceback (most recent call last):
    ...
    ValueError: workdir gs://bucket/run: runs are written to local or mounted folders; mount it (gcsfuse, s3fs) and name that
    """
    if "://" in str(workdir):
        raise ValueError(
            f"workdir {workdir}: runs are written to local or mounted folders; mount it (gcsfuse, s3fs) and name that"
        )
    path = pathlib.Path(workdir).expanduser()
    if path.exists() and not path.is_dir():
        raise ValueError(f"workdir {workdir} is a file; name a folder")
    return path


def write_json(path: pathlib.Path, value) -> None:
    """A file of a run; the first process alone writes it."""
    if processes.first():
        path.write_text(json.dumps(value, indent=1))


@contextlib.contextmanager
def locked(folder: pathlib.Path) -> Iterator[Callable[[], None]]:
    """Makes a workdir and holds its lock, a file that names host, process and start; the first process alone needs it.

    The kernel drops the lock of a process that dies, however it dies, so what a killed run leaves behind is taken over. Of
    another host's processes it knows nothing, so the file's time is renewed while a run lives: five minutes without are
    the end of it, and a job that is requeued on another host goes on.

    Args:
      folder: made if missing; removed at the end if it was, and nothing has been written.

    Yields:
      A function that raises OSError once the lock is gone: whoever deletes a workdir ends its run.

    Raises:
      ValueError: another run holds it.
      OSError: it cannot be made or written.
    """
    if not processes.first():
        yield lambda: None
        return
    made = not folder.exists()
    path = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _take(path)
        file.seek(0)
        file.truncate()
        json.dump({"host": socket.gethostname(), "pid": os.getpid(), "start": _now()}, file)
        file.flush()
    except OSError as error:
        told = (
            f"workdir {folder} cannot be written: {error.strerror or error}; fix its permissions or use another folder"
        )
        raise OSError(told) from error

    def check():
        if not _same(path, file):
            raise OSError(f"{folder} was deleted, or its lock, while the run went on; nothing more can be saved there")

    over = threading.Event()

    def beat():
        while not over.wait(_BEAT):
            with contextlib.suppress(OSError):  # which the next check tells
                os.utime(file.fileno())

    heart = threading.Thread(target=beat, name="lock", daemon=True)
    heart.start()
    try:
        yield check
    finally:
        over.set()
        heart.join()
        if _same(path, file):
            path.unlink()
        file.close()
        if made:
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()


def _take(path: pathlib.Path):
    """The lock file, open and locked."""
    while True:
        file = open(path, "a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read(file)
            file.close()
            raise ValueError(
                f"a run is going on in {path.parent} ({_told(holder)}); wait for it, stop it, or use another workdir"
            ) from None
        except OSError as error:  # a file system without locks
            logger.warning("%s cannot be locked (%s); see to it that no other run uses it", path.parent, error.strerror)
        if _same(path, file):  # else it was released, and removed, between the two calls
            break
        file.close()
    holder = _read(file)
    if holder and holder.get("host") != socket.gethostname() and _age(path) < _DEAD:
        file.close()
        raise ValueError(
            f"a run on another host is going on in {path.parent} ({_told(holder)}), or ended less than "
            f"{_DEAD / 60:.0f} minutes ago; if it is over, delete {path} or wait"
        )
    if holder:
        logger.warning("the run before in %s was killed (%s); its lock is taken over", path.parent, _told(holder))
    return file


def _same(path: pathlib.Path, file) -> bool:
    """Whether the file at the path is the open one."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _age(path: pathlib.Path) -> float:
    """Seconds since a file was written, by the clock of its file system."""
    with tempfile.NamedTemporaryFile(dir=path.parent) as now:
        return os.fstat(now.fileno()).st_mtime - path.stat().st_mtime


def _read(file) -> dict:
    file.seek(0)
    try:
        return dict(json.load(file))
    except ValueError:  # empty: not written yet, or by a process that died before it could
        return {}


def _told(holder: dict) -> str:
    if not holder:
        return "it has just begun"
    return f"host {holder.get('host')}, process {holder.get('pid')}, since {holder.get('start')}"


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
