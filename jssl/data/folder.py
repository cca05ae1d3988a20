"""Images in a folder tree."""

import glob
import os

from jssl.data.encoded import EncodedSource
from jssl.data.layout import is_image, is_unread
from jssl.data.paths import expand
from jssl.data.splits import arrange, ignored

__all__ = ["FolderSource", "below"]


class FolderSource(EncodedSource):
    """An image folder: <class>/<image>, or train/<class>/<image> with test/ or val/ beside it, or images alone.

    Pictures may differ in size, see `EncodedSource`. Files are sorted by name, so the order is the same on every
    machine. `jssl.data.splits.arrange` says how classes and splits come from the names.

    Args:
      path: the folder, or a glob such as "photos/**/*.jpg"; names are as seen from the folder before its first wild card.
      split: "train", "test" or "all".
      image_size: side of the square canvas; see `EncodedSource` for what holds without it.
      limit: at most so many examples, evenly from the classes.
      holdout: part of each class that is "test" where there are no test/ or val/ folders.
      on_error: "raise" or "skip", see `EncodedSource`.

    Raises:
      ValueError: if the folder does not exist, cannot be read or holds no images.
    """

    KIND = "folder"
    OPTIONS = {"image_size": int, "limit": int, "holdout": (int, float), "on_error": str}

    def __init__(self, path, split="train", *, image_size=None, limit=None, holdout=0.1, on_error="raise"):
        self._root, names, unread = self.find(path)
        if not names and unread:
            raise ValueError(f"no picture in {path} is read, such as {unread[0]}; convert them to .jpg or .png")
        if not names:
            raise ValueError(f"no image in {path}; expected {path}/<class>/<name>.png (or .jpg, .webp, ...)")
        found = arrange(names, holdout=holdout, title=f"{self.KIND}:{path}")
        chosen, labels, class_names = found.select(split, limit)
        super().__init__([names[i] for i in chosen], labels, class_names, image_size=image_size, on_error=on_error)
        self.summary = found.summary(split)
        if unread:
            self.summary += ", " + ignored("picture of unread format", unread)

    @staticmethod
    def find(path):
        """The folder, the names of the pictures in it, and those of pictures that are not read."""
        root, files = below(path)
        return root, list(filter(is_image, files)), list(filter(is_unread, files))

    def name(self, index):
        """The path of the file."""
        return os.path.join(self._root, self.names[index])

    def read(self, index):
        """The encoded bytes of an example."""
        with open(self.name(index), "rb") as file:
            return file.read()


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
