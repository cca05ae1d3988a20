"""What folders say: which split and which class each picture belongs to."""

import dataclasses
import functools
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from jssl.data.files.shares import hold_out, take_evenly
from jssl.data.source import NoSplit

__all__ = ["Arrangement", "arrange", "ignored", "role"]

_SPLITS = {
    "train": ("train", "training"),
    "test": ("test", "tests", "testing"),
    "val": ("val", "valid", "validation", "eval", "evaluation", "dev"),
    "unused": ("unlabeled", "unlabelled"),
}
_SPLIT_OF = {name: split for split, names in _SPLITS.items() for name in names}


@dataclasses.dataclass(frozen=True)
class Arrangement:
    """The splits and classes of N pictures.

    Attributes:
      paths: (N,) names of the files.
      splits: "train" and "test" -> positions in paths, (n,) int64; either may be empty.
      labels: (N,) int32, -1 where there is none; in a split either all have one or none has.
      class_names: in the order of the labels.
      unused: positions of a val/ folder that is not needed, since there is test/.
      strays: positions of pictures that are outside of the folders of splits and classes.
      holdout: part of each class that is held out where there is no folder for "test".
      title: what messages call the data set.
      what: what they call one of the files.
    """

    paths: Sequence[str]
    splits: dict[str, np.ndarray]
    labels: np.ndarray
    class_names: tuple[str, ...]
    unused: np.ndarray
    strays: np.ndarray
    holdout: float
    title: str
    what: str = "picture"

    def select(self, split: str, limit: int | None = None) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
        """The pictures of a split.

        Args:
          split: "train", "test" or "all": every picture, strays too.
          limit: at most so many, evenly from the classes.

        Returns:
          positions (n,) int64, labels (n,) int32 or None, and the names of the classes.

        Raises:
          NoSplit: there is no picture of the split.
          ValueError: no such split, or limit is below 1.
        """
        if split not in ("train", "test", "all"):
            raise ValueError(f'split is "{split}"; use "train", "test" or "all"')
        chosen = np.arange(len(self.paths)) if split == "all" else self.splits[split]
        if not len(chosen):
            told = f'no {self.what} is left for split "{split}" of {self.title}'
            raise NoSplit(f"{told}; add a {split}/ folder or change holdout={self.holdout}")
        if limit is not None:
            chosen = chosen[take_evenly(self.labels[chosen], limit)]
        if (self.labels[chosen] < 0).any():
            return chosen, None, ()
        return chosen, self.labels[chosen], self.class_names

    def summary(self, split: str) -> str:
        """What was found, in one line.

        >>> found = arrange(["cat/1.png", "cat/2.png", "dog/1.png", "x.png"], holdout=0.5, title="folder:pets")
        >>> found.summary("train")
        'folder:pets: 2 classes, 2 train, 1 test, 1 stray picture ignored: x.png'
        """
        classes = f"{len(self.class_names)} classes" if self.class_names else "no classes"
        if split == "all":
            return f"{self.title}: {classes}, all {len(self.paths)} {self.what}s, whatever their split"
        told = [classes]
        for name in ("train", "test"):
            rows = self.splits[name]
            unlabelled = self.class_names and len(rows) and self.labels[rows[0]] < 0
            told.append(f"{len(rows) or 'no'} {name}{' without labels' if unlabelled else ''}")
        if len(self.unused):
            told.append(f"{len(self.unused)} val not used")
        if len(self.strays):
            told.append(ignored(f"stray {self.what}", [self.paths[i] for i in self.strays]))
        return f"{self.title}: {', '.join(told)}"


def ignored(what: str, names: Sequence[str]) -> str:
    """How many files are passed over, and which.

    >>> ignored("link", ["a", "b"])
    '2 links ignored, the first: a'
    """
    return (
        f"1 {what} ignored: {names[0]}" if len(names) == 1 else f"{len(names)} {what}s ignored, the first: {names[0]}"
    )


def arrange(
    paths: Sequence[str],
    classes: Sequence[str | None] | None = None,
    *,
    holdout: float = 0.1,
    title: str = "pictures",
    what: str = "picture",
) -> Arrangement:
    """Reads splits and classes off the names of folders.

    1. Outer folders that hold all folders are passed over.
    2. Folders called train and test (or val) are the splits, if both are there. "test" is test/, or val/ where there is
       no test/. The folders may be the outer ones, or lie in each class: cat/train, cat/test. Without them a fixed part
       of each class is held out for "test".
    3. The classes are the outer folders, within the splits if there are any. Folders in them are of the same class.
       A single class is none.
    4. Pictures beside the folders of splits or classes are strays: they belong to no split. If they are more than
       those in the folders of classes, then there are no classes and no strays.
    5. A "test" none of whose classes is one of "train" has no labels.

    Composed and decomposed spellings of a name are one class.

    Args:
      paths: relative file names, separated by "/".
      classes: of each file, None where there is none, as far as something else than folders tells them. Numbers keep
        their value as labels.
      holdout: part of each class that is "test" where there are no folders for it.
      title: what messages call the data set.
      what: what they call one of the files.

    Raises:
      ValueError: holdout is out of range.

    >>> found = arrange(["test/cat/1.png", "train/dog/2.png", "train/cat/3.png"])
    >>> found.select("train")
    (array([1, 2]), array([1, 0], dtype=int32), ('cat', 'dog'))
    """
    if not 0 <= holdout < 1:
        raise ValueError(f"holdout is {holdout}; use a fraction from 0 to below 1")
    folders = [_folders(path) for path in paths]
    roles, inner = _split_folders(folders)
    groups = {split: np.flatnonzero(roles == split) for split in ("train", "test", "val")}
    if not len(groups["test"]):
        groups["test"], groups["val"] = groups["val"], groups["test"]

    given = any(classes or ())
    told = classes if classes and given else [parts[0] if parts else None for parts in inner]
    of = np.asarray([unicodedata.normalize("NFC", name or "") for name in told])  # "": none
    strays = [np.flatnonzero(roles == "unused")]
    few = len(set(of[np.concatenate(list(groups.values()))]) - {""}) < 2
    for name, rows in groups.items():
        outside = of[rows] == ""
        if few or outside.sum() > (~outside).sum():
            of[rows] = ""
        else:
            strays.append(rows[outside])
            groups[name] = rows[~outside]
    known = set(of[groups["train"]]) - {""}
    if known and not known & set(of[groups["test"]]):
        of[groups["test"]] = ""
    names = _names(set(of[np.concatenate(list(groups.values()))]) - {""}, numbers=given)
    number = {name: i for i, name in enumerate(names)}
    labels = np.asarray([number.get(name, -1) for name in of.tolist()], np.int32)

    splits = {name: groups[name] for name in ("train", "test")}
    if not len(splits["test"]):
        held = hold_out(labels[splits["train"]], holdout)
        splits = {"train": splits["train"][~held], "test": splits["train"][held]}
    unused, outside = groups["val"], np.sort(np.concatenate(strays))
    return Arrangement(paths, splits, labels, names, unused, outside, holdout, title, what)


def _folders(path: str) -> tuple[str, ...]:
    *folders, _ = unicodedata.normalize("NFC", path).split("/")
    return tuple(folder for folder in folders if folder not in ("", "."))


def _names(found: set[str], numbers: bool) -> tuple[str, ...]:
    """Names of the classes, in order. Labels that are numbers stay what they are, whichever occur."""
    if found and numbers and all(name.isdecimal() and len(name) < 6 for name in found):
        return tuple(str(i) for i in range(max(map(int, found)) + 1))
    return tuple(sorted(map(str, found)))


def _split_folders(folders: Sequence[tuple[str, ...]]) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    """The role of each picture ("train", "test", "val" or "unused"), and its folders from that of its class on."""
    depth = 0
    while len(outer := _at(folders, depth)) == 1:
        depth += 1
    if _are_splits(outer):
        roles = [len(parts) > depth and role(parts[depth]) or "unused" for parts in folders]
        inner = [parts[depth + 1 :] for parts in folders]
        return np.asarray(roles), _within(inner, roles)
    if _are_splits(_at(folders, depth + 1)):  # cat/train, cat/test
        roles = [len(parts) > depth + 1 and role(parts[depth + 1]) or "unused" for parts in folders]
        return np.asarray(roles), [parts[depth : depth + 1] for parts in folders]
    return np.full(len(folders), "train"), [parts[depth:] for parts in folders]


def _within(inner: list[tuple[str, ...]], roles: Sequence[str]) -> list[tuple[str, ...]]:
    """Passes over folders that hold all folders of their split, where it is so in every split: train/images, ..."""
    used = set(roles) - {"unused"}
    while all(len(_at([parts for parts, found in zip(inner, roles) if found == split], 0)) == 1 for split in used):
        inner = [parts[1:] for parts in inner]
    return inner


def _at(folders: Sequence[tuple[str, ...]], depth: int) -> set[str]:
    return {parts[depth] for parts in folders if len(parts) > depth}


@functools.cache
def role(folder: str) -> str | None:
    """The split that a folder is called by: train2017 and train_set are "train"."""
    return _SPLIT_OF.get(re.sub(r"[-_ ]?(\d+|set)$", "", folder.lower()))


def _are_splits(folders: set[str]) -> bool:
    """Whether folders beside each other are splits: some of them alone may be of any meaning, as test1 and test2."""
    roles = {role(folder) for folder in folders}
    if "train" in roles:
        return len(folders) > 1 and (None not in roles or bool(roles & {"test", "val"}))
    return len(folders) > 1 and all(folder.lower() in _SPLIT_OF for folder in folders)
