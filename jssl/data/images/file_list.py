"""Pictures that a list names."""

import os

from jssl.data.images.folder import FolderSource

__all__ = ["FilesSource"]


class FilesSource(FolderSource):
    """The pictures of a list, in its order: a text file with one path a line, as seen from the folder of the list.

    Empty lines are passed over. Options are those of `FolderSource`, and so are the rules of classes and splits.

    Args:
      path: of the list.

    Raises:
      ValueError: if the list is missing or empty, is not UTF-8, or names a file that is not there.
    """

    KIND = "files"

    @staticmethod
    def find(path):
        """The folder of the list, the names in it, and no others."""
        path = os.path.expanduser(path)
        try:
            with open(path, encoding="utf-8") as file:
                names = [line.rstrip("\r\n") for line in file if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"cannot read the list {path}: {error}; give a text file with one path a line") from error
        if not names:
            raise ValueError(f"the list {path} is empty; write the path of one picture a line")
        root = os.path.dirname(path)
        missing = [name for name in names if not os.path.isfile(os.path.join(root, name))]
        if missing:
            told = f"{missing[0]}, one of {len(missing)} that {path} names, is not there"
            raise ValueError(f"{told}; paths are as seen from the folder of the list")
        return root, names, []
