"""The folder of a run: where it is, and that one run at a time writes there."""

import contextlib
import datetime
import fcntl
import json
import logging
import os
import pathlib
import socket
from collections.abc import Callable, Iterator

import jax

__all__ = ["locked", "workdir_path"]

logger = logging.getLogger(__name__)

FILE_NAME = "lock"


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


@contextlib.contextmanager
def locked(folder: pathlib.Path) -> Iterator[Callable[[], None]]:
    """Makes a workdir and holds the lock on a workdir, a file that names host, process and start; the first process alone needs it.

    The kernel drops the lock of a process that dies, however it dies, so what a killed run leaves behind is taken over. A
    lock that another host left cannot be judged from here.

    Args:
      folder: made if missing; removed at the end if it was, and nothing has been written.

    Yields:
      A function that raises OSError once the lock is gone: whoever deletes a workdir ends its run.

    Raises:
      ValueError: another run holds it.
    """
    if jax.process_index() != 0:
        yield lambda: None
        return
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAME
    file = _take(path)
    file.seek(0)
    file.truncate()
    json.dump({"host": socket.gethostname(), "pid": os.getpid(), "start": _now()}, file)
    file.flush()

    def check():
        if not _same(path, file):
            raise OSError(f"{folder} was deleted, or its lock, while the run went on; nothing more can be saved there")

    try:
        yield check
    finally:
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
    if holder and holder.get("host") != socket.gethostname():
        file.close()
        raise ValueError(
            f"a run on another host may be going on in {path.parent} ({_told(holder)}); if it is over, delete {path}"
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
