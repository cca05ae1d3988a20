"""Sources made of other sources: some of the examples, and random crops of them."""

import hashlib
from collections.abc import Sequence

import jax
import numpy as np

from jssl import views
from jssl.data.source import Source
from jssl.methods import Readout

__all__ = ["Crops", "Part"]


class Part(Source):
    """Some examples of a source.

    Args:
      source: the whole.
      indices: which of its examples, in this order.

    >>> from jssl.evaluation.texts import Texts
    >>> part = Part(Texts(np.array([[5], [6], [7]], np.int32)), [2, 0])
    >>> len(part), part[0]["captions"].tolist()
    (2, [[7]])
    """

    def __init__(self, source: Source, indices: Sequence[int] | np.ndarray):
        self._source, self._indices = source, np.asarray(indices, int)
        self.spec, self.about = source.spec, source.about
        if source.fingerprint:
            self.fingerprint = f"{source.fingerprint}-{hashlib.sha256(self._indices.tobytes()).hexdigest()[:16]}"

    def __len__(self):
        return len(self._indices)

    def __getitem__(self, index):
        return self._source[int(self._indices[index])]


class Crops(Source):
    """Every picture several times in a row, each time another random crop of it, perhaps mirrored.

    The crop itself is taken on the device, by the readout that ``of`` gives: a crop has half to all of the area.

    Args:
      source: with ``image``.
      count: crops of each picture.
    """

    def __init__(self, source: Source, count: int):
        self._source, self._count = source, count
        self.about = source.about
        self.spec = {**source.spec, "crop": jax.ShapeDtypeStruct((), np.int32)}

    def __len__(self):
        return self._count * len(self._source)

    def __getitem__(self, index):
        return {**self._source[index // self._count], "crop": np.int32(index)}

    @staticmethod
    def of(readout: Readout) -> Readout:
        """A readout that sees the crops, where the given one sees whole pictures."""

        def prepare(example):
            example, key = dict(example), jax.random.fold_in(jax.random.key(0), example["crop"])
            image = example["image"]
            image = views.random_resized_crop(
                key,
                views.to_float(image),
                size=min(image.shape[:2]),
                scale=(0.5, 1.0),
                flip_prob=0.5,
                true_size=example.pop("size", None),
            )
            return readout.prepare({**example, "image": image})

        return Readout(prepare, readout.apply)
