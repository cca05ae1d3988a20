"""Which files are pictures, and fair shares of them."""

import hashlib
import posixpath
from collections.abc import Iterable, Sequence

import numpy as np

__all__ = ["evenly_spaced", "fingerprint", "hold_out", "is_image", "is_sound", "is_unread", "is_video", "take_evenly"]

_EXTENSIONS = frozenset(".png .jpg .jpeg .jpe .jfif .bmp .gif .webp .tif .tiff .ppm .pgm .pbm .pnm .jp2 .avif".split())
_SOUNDS = frozenset(".wav .flac .ogg .mp3 .aif .aiff".split())
_VIDEOS = frozenset(".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .ogv .flv .wmv .asf .3gp".split())
_UNREAD = frozenset(".heic .heif .jxl .svg .psd .dng .nef .cr2 .cr3 .arw .orf .raf .rw2 .dcm .exr .hdr".split())


def is_image(path: str) -> bool:
    """True for image files; hidden ones (macOS archives hold ._name.png) and those in hidden folders are not."""
    return _is_of(path, _EXTENSIONS)


def is_unread(path: str) -> bool:
    """True for pictures of a format that is not read, such as a phone's .heic."""
    return _is_of(path, _UNREAD)


def is_sound(path: str) -> bool:
    """True for sound files, by the rules of pictures."""
    return _is_of(path, _SOUNDS)


def is_video(path: str) -> bool:
    """True for video files, by the rules of pictures."""
    return _is_of(path, _VIDEOS)


def _is_of(path: str, extensions: frozenset[str]) -> bool:
    if posixpath.splitext(path)[1].lower() not in extensions:
        return False
    return not any(part.startswith(".") and part not in (".", "..") for part in path.split("/"))


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


def hold_out(labels: np.ndarray, share: float) -> np.ndarray:
    """Which examples are held out: every so many-th of each class, (N,) bool.

    >>> hold_out(np.array([0, 0, 0, 1, 1, 1]), 0.34)
    array([False, False,  True, False, False,  True])
    """
    rank = _rank_in_class(labels)
    return np.floor((rank + 1) * share + 1e-9) > np.floor(rank * share + 1e-9)


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
