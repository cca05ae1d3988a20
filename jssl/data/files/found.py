"""Files of one kind, in folders and archives alike."""

import os
from collections.abc import Callable
from typing import NamedTuple

from jssl.data.files.archive import Place, inside
from jssl.data.files.paths import below

__all__ = ["Files", "find"]


class Files(NamedTuple):
    """What was found.

    Attributes:
      names: of the files, as classes and splits are read off them, see `jssl.data.files.splits.arrange`.
      places: where the bytes of each are, see `jssl.data.files.archive.read`.
      classes: what an archive says of the class of each, beside its name; None where it says nothing.
    """

    names: list[str]
    places: list[Place]
    classes: list[str | None]


def find(path: str, wanted: Callable[[str], bool], what: str) -> Files:
    """The files of a folder, of a glob, or of archives: those whose name has ".tar" in it.

    Args:
      path: the folder, or the glob; or the paths or globs of archives, separated by commas.
      wanted: the names that are taken.
      what: what a message calls one of the files.

    Raises:
      ValueError: there is no such folder or archive, it cannot be read, or it holds no such file.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("a.mp4", "b.txt"):
    ...         _ = pathlib.Path(folder, name).write_bytes(b"")
    ...     find(folder, lambda name: name.endswith(".mp4"), "video").names
    ['a.mp4']
    """
    if ".tar" in os.path.basename(path):
        held = inside(path, wanted)
        found = Files(held.names, [member.place for member in held.members], [member.label for member in held.members])
    else:
        root, files = below(path)
        names = list(filter(wanted, files))
        found = Files(names, [(os.path.join(root, name), 0, -1) for name in names], [None] * len(names))
    if not found.names:
        raise ValueError(f"no {what} in {path}; expected files such as cat/1 in it, or another kind of source")
    return found
