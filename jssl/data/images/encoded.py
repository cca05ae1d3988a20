"""Picture files of any size in some container, brought to one canvas."""

import abc
import hashlib
from collections.abc import Sequence

import jax
import numpy as np

from jssl.data.files.readable import ReadSource, fingerprint
from jssl.data.files.shares import evenly_spaced
from jssl.data.images.decode import decode_image, read_size
from jssl.data.source import About

__all__ = ["EncodedSource"]

CANVAS = 256  # side of the square for files that differ in size


class EncodedSource(ReadSource):
    """Picture files in some container; subclasses say where the bytes are.

    Every picture is resized whole to one canvas, (H, W), whatever its own size and aspect, and ``size`` says what they
    were: crops are drawn in true proportions, and a readout restores the aspect. The canvas is fixed on opening:

    1. ``image_size``, squared, where it is given;
    2. the size of the files, if those of a sample (up to 256, evenly spaced) all have the same;
    3. else 256 x 256.

    Examples have ``image`` (H, W, 3) uint8, ``size`` (2,) int32, the height and width of the file, and, where there are
    classes, ``label`` () int32.

    Args:
      names: name of each example, for messages and the fingerprint. A subclass with its own `name` and ``__len__`` may
        give any text that says what the examples are.
      labels: (N,) integers, or None.
      class_names: names of the labels; empty where there are none.
      image_size: side of the square canvas.
      on_error: "raise", or "skip": an unreadable picture is replaced by the next readable one and noted in `replaced`.

    Raises:
      ValueError: if an option is out of range.
    """

    WHAT = "images"

    def __init__(
        self,
        names: Sequence[str],
        labels: np.ndarray | None,
        class_names: tuple[str, ...],
        *,
        image_size: int | None = None,
        on_error: str = "raise",
    ):
        if image_size is not None and image_size < 1:
            raise ValueError(f"image_size is {image_size}; use at least 1")
        super().__init__(names, on_error)
        self.labels = labels
        self.about = About(class_names=class_names)
        sizes, contents = self._sample()
        side = image_size or CANVAS
        self.canvas = sizes.pop() if image_size is None and len(sizes) == 1 else (side, side)
        self.spec = {
            "image": jax.ShapeDtypeStruct((*self.canvas, 3), np.uint8),
            "size": jax.ShapeDtypeStruct((2,), np.int32),
        }
        if class_names:
            self.spec["label"] = jax.ShapeDtypeStruct((), np.int32)
        if labels is not None:
            contents.append(np.asarray(labels, np.int32).tobytes())
        self.fingerprint = fingerprint(names, contents, self.canvas, class_names)

    def _sample(self):
        """The sizes that occur among up to 256 files, and a digest of each file's content."""
        sizes, contents = set(), []
        for index in evenly_spaced(len(self)):
            try:
                encoded = self.record(index)[0]
                contents.append(hashlib.blake2b(encoded).digest())
                sizes.add(read_size(encoded))
            except (ValueError, OSError):  # which is said when the example is asked for
                contents.append(b"unreadable")
        return sizes, contents

    @abc.abstractmethod
    def read(self, index: int) -> bytes:
        """The encoded bytes of an example."""

    def record(self, index: int) -> tuple[bytes, int | None]:
        """The encoded bytes and the label of an example."""
        return self.read(index), None if self.labels is None else int(self.labels[index])

    def example(self, index):
        """The picture, its size and its label."""
        encoded, label = self.record(index)
        image, size = decode_image(encoded, self.canvas)
        example = {"image": image, "size": np.asarray(size, np.int32)}
        return example if label is None else example | {"label": np.asarray(label, np.int32)}
