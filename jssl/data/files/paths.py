"""Files that paths, globs and folders name."""

import glob
import os

__all__ = ["below", "expand"]


def expand(pattern: str) -> list[str]:
    """The paths that a path or glob names, those of a glob sorted; ``**`` is any depth of folders, ``~`` the home.

    What exists under that very name is no glob: names of files may hold brackets. So may those of the folders of a
    glob: where nothing matches otherwise, brackets stand for themselves.

    >>> expand("no/such/*.file")
    []
    """
    path = os.path.expanduser(pattern.strip())
    if os.path.exists(path):
        return [path]
    return sorted(glob.glob(path, recursive=True) or glob.glob(path.replace("[", "[[]"), recursive=True))


def below(path: str) -> tuple[str, list[str]]:
    """A folder, or that before the first wild card of a glob, and the names of the files in it, sorted.

    Raises:
      ValueError: if the folder does not exist or cannot be read.
    """
    root = os.path.expanduser(path)
    if os.path.isdir(root):
        try:
            return root, list(_walk(root, "", (os.path.realpath(root),)))
        except OSError as error:
            raise ValueError(f"cannot list {error.filename}: {error.strerror}; check its permissions") from error
    if not glob.has_magic(root):
        raise ValueError(f"no folder {path}; give the folder that holds the class folders")
    return _matches(root)


def _matches(pattern: str) -> tuple[str, list[str]]:
    """The folder before the first wild card and the names of the files that match, sorted."""
    root = pattern
    while glob.has_magic(root):
        root = os.path.dirname(root)
    found = (os.path.relpath(path, root or ".") for path in expand(pattern) if os.path.isfile(path))
    return root, sorted(path.replace(os.sep, "/") for path in found)


def _walk(root: str, relative: str, parents: tuple[str, ...]):
    """Relative names of the files below a folder, sorted; a link back to a parent is not followed.

    The workdir of a run in the folder is no data: the pictures of its report would be.
    """
    with os.scandir(os.path.join(root, relative)) as unsorted:
        entries = sorted(unsorted, key=lambda entry: entry.name)
    if relative and {"config.json", "checkpoints"} <= {entry.name for entry in entries}:
        return
    for entry in entries:
        name = f"{relative}/{entry.name}" if relative else entry.name
        if entry.is_dir():
            real = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
            if real not in parents and not entry.name.startswith("."):
                yield from _walk(root, name, (*parents, os.path.realpath(entry.path)))
        else:
            yield name
