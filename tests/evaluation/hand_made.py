"""Sources and readouts whose features are known by hand."""

import threading
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jssl.data.source import About, Source
from jssl.models.features import Features


class Readout(NamedTuple):
    prepare: Any
    apply: Any


class Arrays(Source):
    """Fields that are arrays already."""

    def __init__(self, about=None, **fields):
        self.about, self._fields = about or About(), fields
        self.spec = {name: jax.ShapeDtypeStruct(array.shape[1:], array.dtype) for name, array in fields.items()}

    def __len__(self):
        return len(next(iter(self._fields.values())))

    def __getitem__(self, index):
        return {name: array[index] for name, array in self._fields.items()}


class Counting(Source):
    """Examples (2,) made on the spot, which counts how often each was read."""

    spec = {"audio": jax.ShapeDtypeStruct((2,), np.float32), "label": jax.ShapeDtypeStruct((), np.int32)}

    def __init__(self, length):
        self.reads = np.zeros(length, int)
        self._lock = threading.Lock()

    def __len__(self):
        return len(self.reads)

    def __getitem__(self, index):
        with self._lock:
            self.reads[index] += 1
        return {"audio": np.array([index, 1], np.float32), "label": np.int32(index % 7)}


AUDIO = Readout(lambda example: example["audio"], lambda params, extra, x: Features(params * x))
"""Of a ``Counting`` source: params times (index, 1)."""


def pairs(codes, *, text=None):
    """Readouts whose features are rows of ``codes`` (K, D): of the first pixel of an image, of a text's first token.

    The parameters are the rows of the images and those of the texts, the same unless ``text`` is given.
    """
    image = Readout(
        lambda example: example["image"][0, 0, 0].astype(jnp.int32),
        lambda params, extra, pixel: Features(params["image"][pixel]),
    )
    words = Readout(
        lambda example: example["captions"][0, 0], lambda params, extra, token: Features(params["text"][token])
    )
    codes = jnp.asarray(codes, jnp.float32)
    params = {"image": codes, "text": codes if text is None else jnp.asarray(text, jnp.float32)}
    return {"image": image, "text": words}, (params, {})


def images(values):
    """(N, 2, 2, 3) uint8 of one value each."""
    return np.broadcast_to(np.asarray(values, np.uint8)[:, None, None, None], (len(values), 2, 2, 3))


def tokenizers(vocabulary):
    """What stands in for ``jssl.data.text.tokenizers``: one token per word, by its place in ``vocabulary``, from 1."""

    def make(spec):
        assert spec == "words"
        return lambda text: [1 + vocabulary.index(word) for word in text.split()]

    def row(tokenizer, text, length):
        tokens = tokenizer(text)[:length]
        return np.array(tokens + [0] * (length - len(tokens)), np.int32)

    return SimpleNamespace(make=make, row=row)
