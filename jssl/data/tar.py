"""Images in tar archives, without unpacking them."""

import os
import re

from jssl.data.archive import members, read
from jssl.data.encoded import EncodedSource
from jssl.data.paths import expand
from jssl.data.splits import arrange, ignored, role

__all__ = ["TarSource"]


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
        patterns = [pattern] if os.path.exists(pattern) else pattern.split(",")
        paths = list(dict.fromkeys(path for part in patterns for path in expand(part)))
        if not paths:
            raise ValueError(f"no archive matches {pattern}; give the path or glob of .tar or .tar.gz files")
        inside, lost = [], []
        for path in paths:
            pictures, links = members(path)
            inside += [(path, member) for member in pictures]
            lost += [f"{link} in {path}" for link in links]
        if not inside:
            raise ValueError(f"no image in {', '.join(paths)}; expected members such as train/cat/1.png")
        names = [member.name for _, member in inside]
        if _are_folders(paths, names):
            names = [f"{_stem(path)}/{name}" for (path, _), name in zip(inside, names)]
        found = arrange(names, [member.label for _, member in inside], holdout=holdout, title=f"tar:{pattern}")
        chosen, labels, class_names = found.select(split, limit)
        self._paths = [inside[i][0] for i in chosen]
        self._places = [inside[i][1].place for i in chosen]
        names = [names[i] for i in chosen]
        super().__init__(names, labels, class_names, image_size=image_size, on_error=on_error)
        self.summary = found.summary(split)
        if lost:
            self.summary += ", " + ignored("dead link", lost)

    def name(self, index):
        """Member and archive."""
        return f"{self.names[index]} in {self._paths[index]}"

    def read(self, index):
        """The encoded bytes of an example."""
        return read(self._places[index])


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
