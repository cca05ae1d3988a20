"""Images in tar archives, without unpacking them."""

import os
import re
from collections.abc import Callable
from typing import NamedTuple

from jssl.data.archive import Member, members, read
from jssl.data.encoded import EncodedSource
from jssl.data.layout import is_image
from jssl.data.paths import expand
from jssl.data.splits import arrange, ignored, role

__all__ = ["Inside", "TarSource", "inside"]


class TarSource(EncodedSource):
    """Images of one or more archives, in archive order.

    Plain archives are indexed and read on demand; compressed ones have no random access, so their encoded bytes are
    kept in memory. Symbolic and hard links in an archive are followed.

    Classes and splits come from the names of the members, see `jssl.data.splits.arrange`, and

    - in WebDataset shards from the .cls member of the same key, or from "label", "class" or "cls" in its .json;
    - several archives stand for folders where they are called by splits (train.tar, test.tar), and where no member is in
      a folder (cat.tar, dog.tar), unless they are numbered one after the other, as shards are (a-0.tar, a-1.tar).

    Args:
      pattern: paths or globs, separated by commas.
      split: "train", "test" or "all".
      image_size: side of the square canvas; see `EncodedSource` for what holds without it.
      limit: at most so many examples, evenly from the classes.
      holdout: part of each class that is "test" where nothing says so.
      on_error: "raise" or "skip", see `EncodedSource`.

    Raises:
      ValueError: if nothing matches, an archive is broken or holds no images.
    """

    OPTIONS = {"image_size": int, "limit": int, "holdout": (int, float), "on_error": str}

    def __init__(self, pattern, split="train", *, image_size=None, limit=None, holdout=0.1, on_error="raise"):
        held = inside(pattern)
        if not held.names:
            raise ValueError(f"no image in {', '.join(held.paths)}; expected members such as train/cat/1.png")
        found = arrange(held.names, [member.label for member in held.members], holdout=holdout, title=f"tar:{pattern}")
        chosen, labels, class_names = found.select(split, limit)
        self._paths = [held.paths[i] for i in chosen]
        self._places = [held.members[i].place for i in chosen]
        names = [held.names[i] for i in chosen]
        super().__init__(names, labels, class_names, image_size=image_size, on_error=on_error)
        self.summary = found.summary(split)
        if held.lost:
            self.summary += ", " + ignored("dead link", held.lost)

    def name(self, index):
        """Member and archive."""
        return f"{self.names[index]} in {self._paths[index]}"

    def read(self, index):
        """The encoded bytes of an example."""
        return read(self._places[index])


class Inside(NamedTuple):
    """The files of some archives.

    Attributes:
      names: of each file, as classes and splits are read off them.
      members: likewise; where its bytes are, and what is said of it.
      paths: of the archive of each; of the archives where there are no files.
      lost: links to what is not there.
    """

    names: list[str]
    members: list[Member]
    paths: list[str]
    lost: list[str]


def inside(pattern: str, wanted: Callable[[str], bool] = is_image) -> Inside:
    """The pictures in archives, in their order, or other files.

    Args:
      pattern: paths or globs of archives, separated by commas.
      wanted: the names that are taken.

    Raises:
      ValueError: if nothing matches, or an archive is broken.
    """
    patterns = [pattern] if os.path.exists(pattern) else pattern.split(",")
    archives = list(dict.fromkeys(path for part in patterns for path in expand(part)))
    if not archives:
        raise ValueError(f"no archive matches {pattern}; give the path or glob of .tar or .tar.gz files")
    found: list[Member] = []
    paths: list[str] = []
    lost: list[str] = []
    for path in archives:
        own, links = members(path, wanted)
        found += own
        paths += [path] * len(own)
        lost += [f"{link} in {path}" for link in links]
    names = [member.name for member in found]
    if _are_folders(archives, names):
        names = [f"{_stem(path)}/{name}" for path, name in zip(paths, names)]
    return Inside(names, found, paths or archives, lost)


def _stem(path: str) -> str:
    return os.path.basename(path).partition(".tar")[0]


def _are_folders(paths: list[str], names: list[str]) -> bool:
    """Whether the names of archives say more than those of their members."""
    stems = [_stem(path) for path in paths]
    if len(paths) == 1 or all(role(stem) for stem in stems):
        return len(paths) > 1
    numbered = [match for stem in stems if (match := re.fullmatch(r"(.*?)(\d+)", stem))]
    if len(numbered) == len(stems) and len({match[1] for match in numbered}) == 1:
        numbers = sorted(int(match[2]) for match in numbered)
        if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return False
    return not any("/" in name for name in names)
