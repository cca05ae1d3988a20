"""Text to numbers and back.

A tokenizer is named by one line of text, its spec, which is saved with a run and makes the same tokenizer again.

=============================== ========================================================================================
bytes                           UTF-8 bytes: ids 0 padding, 1 beginning, 2 end of a text, 3 + b the byte b; 259 in all
chars:"<characters>"            a JSON string of distinct characters: id i is the i-th; nothing else, so no padding either
<path>.json, <path>.json#<hash> a Hugging Face tokenizer file, with the hash of its content
=============================== ========================================================================================

The layout of "bytes" is that of ByT5 (padding first, then specials, then bytes), with a beginning where ByT5 has "unknown".
"""

import abc
import functools
import hashlib
import json
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from jssl.hints import nearest

__all__ = ["Tokenizer", "chars_spec", "make", "row"]

_SPECIALS = 3
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


class Tokenizer(abc.ABC):
    """What turns text into ids and back.

    Attributes:
      spec: `make(spec)` is the same tokenizer.
      vocabulary: ids are in [0, vocabulary).
      pad: id of padding; None where there is none.
      bos: id that begins a text; None where there is none.
      eos: id that ends a text; None where there is none.
    """

    spec: str
    vocabulary: int
    pad: int | None = None
    bos: int | None = None
    eos: int | None = None

    @abc.abstractmethod
    def encode(self, text: str) -> np.ndarray:
        """The ids of a text, (n,) int32, without special ones."""

    @abc.abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids of shape (n,). Special ids say nothing, an id that means nothing becomes U+FFFD; never fails."""


class _Bytes(Tokenizer):
    spec, vocabulary, pad, bos, eos = "bytes", 256 + _SPECIALS, 0, 1, 2

    def encode(self, text):
        return np.frombuffer(text.encode(), np.uint8).astype(np.int32) + np.int32(_SPECIALS)

    def decode(self, ids):
        ids = np.asarray(ids, np.int64)
        ids = np.where((ids < 0) | (ids >= self.vocabulary), 255 + _SPECIALS, ids)  # no byte of UTF-8 is 255
        return (ids[ids >= _SPECIALS] - _SPECIALS).astype(np.uint8).tobytes().decode("utf-8", "replace")


class _Chars(Tokenizer):
    def __init__(self, spec: str):
        try:
            characters = json.loads(spec.removeprefix("chars:"))
        except ValueError:
            characters = None
        if not isinstance(characters, str) or not characters or len(set(characters)) < len(characters):
            raise ValueError(f'tokenizer {spec[:80]} is not "chars:" and a JSON string of distinct characters')
        self.spec, self.vocabulary = spec, len(characters)
        self._characters = np.array([ord(character) for character in characters])
        self._ids = np.full(self._characters.max() + 1, -1, np.int32)
        self._ids[self._characters] = np.arange(len(characters), dtype=np.int32)

    def encode(self, text):
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        ids = self._ids[np.minimum(points, np.uint32(len(self._ids) - 1))]
        strange = (ids < 0) | (points >= len(self._ids))
        if strange.any():
            character = chr(int(points[strange.argmax()]))
            raise ValueError(f"the tokenizer has no character {character!r}; collect its characters from this text too")
        return ids

    def decode(self, ids):
        ids = np.asarray(ids, np.int64)
        known = (ids >= 0) & (ids < self.vocabulary)
        points = np.where(known, self._characters[np.where(known, ids, 0)], ord(_UNKNOWN))
        return "".join(map(chr, points.tolist()))


class _HuggingFace(Tokenizer):
    """The Rust object is made when it is first asked for, and again in every process that this one is pickled to."""

    def __init__(self, spec: str):
        path, _, wanted = spec.partition("#")
        self._path = os.path.abspath(os.path.expanduser(path))
        try:
            with open(self._path, "rb") as file:
                found = hashlib.blake2b(file.read(), digest_size=8).hexdigest()
        except OSError as error:
            raise ValueError(
                f"cannot read tokenizer {path}: {error.strerror}; give the path of its .json file"
            ) from error
        if wanted and wanted != found:
            raise ValueError(f"tokenizer {path} has changed since it was used; bring back the file with hash {wanted}")
        self.spec = f"{self._path}#{found}"

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name != "_rust"}

    @functools.cached_property
    def _rust(self) -> Any:
        try:
            import tokenizers
        except ImportError as error:
            told = "needs the package tokenizers, which is not installed; pip install tokenizers, or use bytes"
            raise ValueError(f"tokenizer {self._path} {told}") from error
        try:
            return tokenizers.Tokenizer.from_file(self._path)
        except Exception as error:  # the package raises Exception itself
            raise ValueError(f"tokenizer {self._path} is no Hugging Face tokenizer file: {error}") from error

    def _special(self, *names: str) -> int | None:
        return next((id for name in names if (id := self._rust.token_to_id(name)) is not None), None)

    @property
    def vocabulary(self):
        return max(self._rust.get_vocab(with_added_tokens=True).values()) + 1

    @property
    def pad(self):
        return self._special("[PAD]", "<pad>", "<|pad|>")

    @property
    def bos(self):
        return self._special("[CLS]", "<s>", "<bos>", "<|startoftext|>")

    @property
    def eos(self):
        return self._special("[SEP]", "</s>", "<eos>", "<|endoftext|>")

    def encode(self, text):
        return np.array(self._rust.encode(text, add_special_tokens=False).ids, np.int32)

    def decode(self, ids):
        ids = np.asarray(ids, np.int64)
        runs = np.split(ids, np.flatnonzero(np.diff((ids >= 0) & (ids < self.vocabulary))) + 1)
        known = [run.size and 0 <= run[0] < self.vocabulary for run in runs]
        return "".join(self._rust.decode(run.tolist()) if ok else _UNKNOWN * len(run) for ok, run in zip(known, runs))


def make(spec: str) -> Tokenizer:
    """The tokenizer of a spec, see above.

    Args:
      spec: "bytes", "chars:..." or the path of a Hugging Face tokenizer.json.

    Raises:
      ValueError: there is no such tokenizer, or its file is missing or has changed.

    >>> ids = make("bytes").encode("café")
    >>> ids.tolist(), make("bytes").decode(ids)
    ([102, 100, 105, 198, 172], 'café')
    >>> make('chars:" abc"').encode("a cab").tolist()
    [1, 0, 3, 1, 2]
    """
    if spec == "bytes":
        return _Bytes()
    if spec.startswith("chars:"):
        return _Chars(spec)
    if spec.partition("#")[0].endswith(".json"):
        return _HuggingFace(spec)
    if spec == "chars":
        raise ValueError(
            'tokenizer "chars" is made from a text, by text:<files>?tokenizer=chars; alone it has no characters'
        )
    raise ValueError(f'there is no tokenizer "{spec[:80]}"{nearest(spec, ["bytes", "chars:...", "<path>.json"])}')


def chars_spec(characters: Iterable[str]) -> str:
    """The spec of the tokenizer by characters, sorted by code point.

    >>> chars_spec("abba\\n")
    'chars:"\\\\nab"'
    """
    return "chars:" + json.dumps("".join(sorted(set(characters))))


def row(tokenizer: Tokenizer, text: str, length: int) -> np.ndarray:
    """One text as a row: its beginning, its tokens, its end, and zeros.

    A text that is too long is cut so that its end mark still fits; marks that the tokenizer does not have are left out.
    Padding is 0 whoever made the row, so that readers need no tokenizer to see it.

    Args:
      tokenizer: one that pads with 0.
      text: any text.
      length: L.

    Returns:
      (L,) int32.

    Raises:
      ValueError: the tokenizer does not pad with 0, or the row has no room.

    >>> row(make("bytes"), "hi", 6).tolist(), row(make("bytes"), "hello", 4).tolist()
    ([1, 107, 108, 2, 0, 0], [1, 107, 104, 2])
    """
    if tokenizer.pad != 0:
        raise ValueError(
            f"rows are filled up with 0, and tokenizer {tokenizer.spec[:80]} pads with {tokenizer.pad}; use bytes"
        )
    if length < 3:
        raise ValueError(f"a row of {length} tokens has no room for text between its beginning and end; use at least 3")
    begin, end = ([] if mark is None else [mark] for mark in (tokenizer.bos, tokenizer.eos))
    ids = np.concatenate([begin, tokenizer.encode(text)[: length - len(begin) - len(end)], end])
    return np.pad(ids, (0, length - len(ids))).astype(np.int32)
