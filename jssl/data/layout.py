"""What paths say: which split and class a file belongs to, which files are held out."""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np

from jssl.data.source import NoSplit

__all__ = ["evenly_spaced", "fingerprint", "is_image", "select", "take_evenly"]

logger = logging.getLogger(__name__)

_EXTENSIONS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
_SPLITS = {"train": "train", "training": "train", "test": "test", "val": "val", "valid": "val", "validation": "val"}


def is_image(path: str) -> bool:
    """True for image files; hidden files (macOS archives hold ._name.png) are not."""
    file = PurePosixPath(path)
    return file.suffix.lower() in _EXTENSIONS and not file.name.startswith(".")


def _rank_in_class(labels: np.ndarray) -> np.ndarray:
    """Position of each example among those of its class, in order."""
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - np.repeat(starts, np.diff(np.r_[starts, len(labels)]))
    return rank


def take_evenly(labels: np.ndarray, limit: int) -> np.ndarray:
    """Positions of the first examples of each class, limit in all, in order.

    >>> take_evenly(np.array([0, 0, 0, 1, 1, 1]), 4)
    array([0, 1, 3, 4])
    """
    if limit < 1:
        raise ValueError(f"limit is {limit}; use at least 1, or leave it out")
    return np.sort(np.argsort(_rank_in_class(np.asarray(labels)), kind="stable")[:limit])


def select(
    paths: Sequence[str], split: str, *, holdout: float = 0.1, limit: int | None = None
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Chooses the files of a split and names their classes.

    The class is the parent folder. The first folder called train, test or val (or training, valid, validation) is the
    split, if every file is under one; then "test" is test/, or val/ where there is no test/. Otherwise a fixed part of
    each class is held out for "test". Files right in the split folder, in no folder, or all in
    one folder have no class. In a split where others have one they are left out, which is logged; a split where none
    has a class has no labels.

    Args:
      paths: relative file names, separated by "/".
      split: "train", "test" or "all".
      holdout: part of each class that is "test" where there are no split folders.
      limit: at most so many examples, taken evenly from the classes.

    Returns:
      positions (n,) int64 into paths, labels (n,) int32 (None when no file has one), class names sorted.

    Raises:
      ValueError: if the split is unknown or would be empty.

    >>> select(["test/cat/1.png", "train/dog/2.png"], "train")
    (array([1]), array([1], dtype=int32), ('cat', 'dog'))
    """
    if split not in ("train", "test", "all"):
        raise ValueError(f'split is "{split}"; use "train", "test" or "all"')
    if not 0 <= holdout < 1:
        raise ValueError(f"holdout is {holdout}; use a fraction from 0 to below 1")
    folders = [PurePosixPath(path).parts[:-1] for path in paths]
    split_at = [next((i for i, part in enumerate(parts) if part.lower() in _SPLITS), None) for parts in folders]
    has_splits = all(at is not None for at in split_at)
    # Without split folders a class may well be called "train".
    classes = [
        parts[-1] if parts and not (has_splits and at == len(parts) - 1) else None
        for parts, at in zip(folders, split_at)
    ]
    class_names = tuple(sorted({name for name in classes if name is not None}))
    if len(class_names) == 1:  # everything in one folder: there is nothing to tell apart
        class_names, classes = (), [None] * len(classes)
    number = {name: i for i, name in enumerate(class_names)} | {None: -1}
    labels = np.asarray([number[name] for name in classes], np.int32)

    chosen = np.arange(len(paths))
    if split == "all":
        if limit is not None:
            chosen = take_evenly(labels, limit)
        return (chosen, None, ()) if (labels[chosen] < 0).any() else (chosen, labels[chosen], class_names)
    wanted = {"train"}
    if has_splits:
        found = np.asarray([_SPLITS[parts[at].lower()] for parts, at in zip(folders, split_at) if at is not None])
        if split == "test":
            wanted = {"test"} & set(found) or {"val"} & set(found) or {"train"}
        chosen = np.flatnonzero(np.isin(found, list(wanted)))
        hold_out = not {"test", "val"} & set(found)
    else:
        hold_out = True
    stray = labels[chosen] < 0
    if stray.any() and not stray.all():
        count, first = stray.sum(), paths[chosen[stray][0]]
        told = "1 picture in no class folder is" if count == 1 else f"{count} pictures in no class folder are"
        logger.warning("%s left out of split %s, the first is %s", told, split, first)
        chosen = chosen[~stray]
    if hold_out and len(chosen):
        rank = _rank_in_class(labels[chosen])
        held = np.floor((rank + 1) * holdout + 1e-9) > np.floor(rank * holdout + 1e-9)
        chosen = chosen[held == (split == "test")]
    if not len(chosen):
        raise NoSplit(f'no image is left for split "{split}"; add a {split}/ folder or change holdout={holdout}')
    if limit is not None:
        chosen = chosen[take_evenly(labels[chosen], limit)]
    if labels[chosen[0]] < 0:
        return chosen, None, ()
    return chosen, labels[chosen], class_names


def evenly_spaced(count: int) -> list[int]:
    """Up to 256 of the numbers below count, the first and the last among them.

    >>> evenly_spaced(3), len(evenly_spaced(10_000))
    ([0, 1, 2], 256)
    """
    return np.linspace(0, count - 1, min(256, count)).astype(int).tolist()


def fingerprint(names: Sequence[str], contents: Iterable[bytes], *options: object) -> str:
    """Hash of all names, of the content of some files, or what stands for it, and of the options."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update("\n".join(names).encode("utf-8", "surrogateescape"))
    for content in contents:
        digest.update(content)
    digest.update(repr(options).encode())
    return digest.hexdigest()
