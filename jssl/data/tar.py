"""Images in tar archives, without unpacking them."""

import glob
import os
import tarfile
import zlib

from jssl.data.encoded import EncodedSource
from jssl.data.layout import is_image
from jssl.data.splits import arrange

__all__ = ["TarSource"]

_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ")


class TarSource(EncodedSource):
    """Images of one or more archives, in archive order.

    Plain archives are indexed and read on demand; compressed ones have no random access, so their encoded bytes are
    kept in memory. Classes and splits come from the member names, see `jssl.data.splits.arrange`.

    Args:
      pattern: paths or globs, separated by commas.
      split: "train", "test" or "all".
      image_size: side of the square canvas; see `EncodedSource` for what holds without it.
      limit: at most so many examples, evenly from the classes.
      holdout: part of each class that is "test" where no member is under train/ or test/.
      on_error: "raise" or "skip", see `EncodedSource`.

    Raises:
      ValueError: if nothing matches, an archive is broken or holds no images.
    """

    OPTIONS = {"image_size": int, "limit": int, "holdout": (int, float), "on_error": str}

    def __init__(self, pattern, split="train", *, image_size=None, limit=None, holdout=0.1, on_error="raise"):
        paths = [path for part in pattern.split(",") for path in sorted(glob.glob(os.path.expanduser(part.strip())))]
        paths = list(dict.fromkeys(paths))
        if not paths:
            raise ValueError(f"no archive matches {pattern}; give the path or glob of .tar or .tar.gz files")
        names, places = [], []
        for path in paths:
            inside = members(path)
            names += [name for name, _ in inside]
            places += [place for _, place in inside]
        if not names:
            raise ValueError(f"no image in {', '.join(paths)}; expected members such as train/cat/1.png")
        found = arrange(names, holdout=holdout)
        chosen, labels, class_names = found.select(split, limit)
        names = [names[i] for i in chosen]
        self._places = [places[i] for i in chosen]
        self._files = {}
        super().__init__(names, labels, class_names, image_size=image_size, on_error=on_error)
        self.summary = f"tar:{pattern}: {found.summary(split)}"

    def read(self, index):
        """The encoded bytes of an example."""
        place = self._places[index]
        if isinstance(place, bytes):
            return place
        path, offset, size = place
        file = self._files.get(path)
        if file is None:
            # setdefault is atomic: of two threads that open the same archive one handle is kept, the other closed
            opened = open(path, "rb")
            file = self._files.setdefault(path, opened)
            if file is not opened:
                opened.close()
        return os.pread(file.fileno(), size, offset)

    def __getstate__(self):
        return self.__dict__ | {"_files": {}}  # handles stay with their process

    def __del__(self):
        for file in self.__dict__.get("_files", {}).values():
            file.close()


def members(path: str) -> list[tuple[str, bytes | tuple[str, int, int]]]:
    """(name, bytes or place) of every image in an archive, in order."""
    try:
        with open(path, "rb") as file:
            compressed = file.read(5).startswith(_COMPRESSED)
        with tarfile.open(path, "r:*" if compressed else "r:") as archive:
            found: list[tuple[str, bytes | tuple[str, int, int]]] = []
            for member in archive:
                if member.isfile() and is_image(member.name):
                    place: bytes | tuple[str, int, int] = (path, member.offset_data, member.size)
                    if compressed:
                        place = archive.extractfile(member).read()  # type: ignore[union-attr]  # a file
                    found.append((member.name.removeprefix("./"), place))
                archive.members = []  # type: ignore[attr-defined]  # tarfile keeps every header otherwise
            # tarfile takes a file that stops between two members for a whole one.
            archive.fileobj.seek(archive.offset)
            if (
                archive.fileobj.read(512).strip(b"\0")
                or not compressed
                and os.path.getsize(path) < archive.offset + 512
            ):
                raise tarfile.ReadError("it has no end mark, so it was cut short")
            return found
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise ValueError(f"cannot read archive {path}: {error}; is it whole and a tar file?") from error
