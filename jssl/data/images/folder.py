"""Images in a folder tree."""

import os

from jssl.data.files.names import is_image, is_unread
from jssl.data.files.paths import below
from jssl.data.files.splits import arrange, ignored
from jssl.data.images.encoded import EncodedSource

__all__ = ["FolderSource"]


class FolderSource(EncodedSource):
    """An image folder: <class>/<image>, or train/<class>/<image> with test/ or val/ beside it, or images alone.

    Pictures may differ in size, see `EncodedSource`. Files are sorted by name, so the order is the same on every
    machine. `jssl.data.files.splits.arrange` says how classes and splits come from the names.

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
