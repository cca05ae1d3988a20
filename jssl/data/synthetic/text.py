"""Text made by code from a seed: little stories about the synthetic pictures."""

import hashlib

import jax
import numpy as np

from jssl.data.source import About, Source
from jssl.data.synthetic.images import SyntheticSource
from jssl.data.text import tokenizers

__all__ = ["SyntheticTextSource"]

_VERSION = 1  # raise it when the text changes
_SCENES = (
    65_537  # numbers that a row may take scenes from; prime to the ten shapes, so that rows start with any of them
)


class SyntheticTextSource(Source):
    """Rows of bytes, filled with stories that each end with the end mark; the last one is cut where the row ends.

    A story says what one scene shows, as `jssl.data.synthetic.scenes.story` does: number, shape, colours, places and background
    come again from sentence to sentence, so a model that reads what came before beats one that knows how frequent bytes are.

    Args:
      split: "train" or "test": stories about different scenes of the same distribution.
      num_examples: rows in "train"; "test" has a fifth of it.
      length: L, tokens of a row.
      seed: of everything that is drawn.

    Raises:
      ValueError: if an option is out of range.

    >>> source = SyntheticTextSource("test", num_examples=50, length=68)
    >>> len(source), tokenizers.make(source.about.tokenizer).decode(source[0]["tokens"])
    (10, 'Dark red, light yellow, light yellow and dark green circles, four of')
    """

    OPTIONS = {"num_examples": int, "length": int, "seed": int}

    def __init__(self, split="train", *, num_examples=10_000, length=256, seed=0):
        if num_examples < 1 or not 2 <= length <= _SCENES:
            raise ValueError(f"num_examples={num_examples}, length={length}; use at least 1, and 2 to {_SCENES}")
        self._length = num_examples if split == "train" else -(-num_examples // 5)
        self._scenes = SyntheticSource(split, num_examples=5 * self._length * _SCENES, seed=seed)
        self._tokenizer = tokenizers.make("bytes")
        self.length = length
        self.spec = {name: jax.ShapeDtypeStruct((length,), np.int32) for name in ("tokens", "segments")}
        self.about = About(vocabulary=self._tokenizer.vocabulary, tokenizer=self._tokenizer.spec)
        told = repr((_VERSION, self._scenes.fingerprint, length))
        self.fingerprint = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()

    def __len__(self):
        return self._length

    def __getitem__(self, index):
        number = range(len(self))[index] * _SCENES
        documents, room = [], self.length
        while room > 0:
            text = self._tokenizer.encode(self._scenes.story(number + len(documents)))
            documents.append(np.append(text, np.int32(self._tokenizer.eos))[:room])
            room -= len(documents[-1])
        segments = np.repeat(np.arange(1, len(documents) + 1, dtype=np.int32), [len(text) for text in documents])
        return {"tokens": np.concatenate(documents), "segments": segments}
