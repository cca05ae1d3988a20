"""Files that paths and globs name."""

import glob
import os

__all__ = ["expand"]


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
