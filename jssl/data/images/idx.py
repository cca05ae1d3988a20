"""The idx files of MNIST, Fashion-MNIST and their relatives."""

import glob
import gzip
import math
import os
import struct
import zlib

import numpy as np
from PIL import Image

from jssl.data.arrays import ArraySource
from jssl.data.files.shares import take_evenly
from jssl.data.parallel import parallel_map
from jssl.data.source import About

__all__ = ["IdxSource", "read_idx"]


class IdxSource(ArraySource):
    """Grey pictures as three equal channels, with labels.

    The folder has train-images-idx3-ubyte[.gz], train-labels-idx1-ubyte[.gz] and their t10k- pair.

    Args:
      path: the folder.
      split: "train" or "test" (the t10k files).
      image_size: side of the square that each picture is resized to, whole; ``size`` says what it was.
      limit: at most so many examples, evenly from the classes.

    Raises:
      ValueError: if a file is missing, broken or does not fit its partner.
    """

    OPTIONS = {"image_size": int, "limit": int}

    def __init__(self, path, split="train", *, image_size=None, limit=None):
        if split not in ("train", "test"):
            raise ValueError(f'split is "{split}"; use "train" or "test"')
        prefix = {"train": "train", "test": "t10k"}[split]
        images = read_idx(_find(path, f"{prefix}-images", "idx3-ubyte"), 3)
        labels = read_idx(_find(path, f"{prefix}-labels", "idx1-ubyte"), 1)
        if len(images) != len(labels):
            raise ValueError(f"{path} has {len(images)} {prefix} images but {len(labels)} labels; they are no pair")
        names = tuple(str(i) for i in range(int(labels.max(initial=0)) + 1))
        if limit is not None:
            chosen = take_evenly(labels, limit)
            images, labels = images[chosen], labels[chosen]
        sizes = np.tile(np.asarray(images.shape[1:], np.int32), (len(images), 1))
        if image_size is not None:
            images = _resized(images, image_size)
        grey = np.repeat(images[..., None], 3, -1)
        super().__init__({"image": grey, "size": sizes, "label": labels}, About(class_names=names))


def _resized(images: np.ndarray, side: int) -> np.ndarray:
    """(N, H, W) to (N, side, side)."""
    if side < 1:
        raise ValueError(f"image_size is {side}; use at least 1")
    if not len(images) or images.shape[1:] == (side, side):
        return images

    def resize(image):
        return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))

    return np.stack(parallel_map(resize, images))


def _find(folder: str, name: str, kind: str) -> str:
    """The file of a part, with the usual spellings."""
    for pattern in (f"{name}-{kind}", f"{name}.{kind}"):
        for path in sorted(glob.glob(os.path.join(glob.escape(os.path.expanduser(folder)), pattern + "*"))):
            if path.endswith((kind, ".gz")):
                return path
    raise ValueError(f"no file {name}-{kind} or {name}-{kind}.gz in {folder}; give the folder that holds it")


def read_idx(path: str, ndim: int) -> np.ndarray:
    """Reads a uint8 idx file, plain or gzip.

    Args:
      path: the file.
      ndim: dimensions that it must have.

    Raises:
      ValueError: if the magic number, the sizes or the length do not fit.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"cannot read {path}: {error}; fetch the file again") from error
    start = 4 + 4 * ndim
    if data[:4] != bytes([0, 0, 8, ndim]) or len(data) < start:
        raise ValueError(
            f"{path} starts with {data[:4].hex()}, an idx file of {ndim} uint8 dimensions with 000008{ndim:02x}"
        )
    shape = struct.unpack(f">{ndim}I", data[4:start])
    if len(data) - start != math.prod(shape):
        raise ValueError(f"{path} announces {shape} but holds {len(data) - start} values; fetch the file again")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
