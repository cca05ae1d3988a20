"""Text files as rows of tokens."""

import functools
import hashlib
import os

import jax
import numpy as np

from jssl.data.files.paths import expand
from jssl.data.source import About, NoSplit, Source
from jssl.data.text.token_cache import open_cache

__all__ = ["TextSource"]


class TextSource(Source):
    """Rows of ``length`` tokens of a text, ``stride`` tokens apart.

    The files are documents of one stream, in the order of their names. Each ends with the tokenizer's end of text, where
    it has one. The last ``holdout`` of the stream's characters are "test", the rest "train", as nanoGPT splits its text; a
    document that the cut goes through is two. Tokens are made once and kept in a cache; rows are read from there, and
    nothing is loaded.

    Row i holds the tokens from i * stride on, so one document may be cut over rows and several packed into one:
    ``segments`` numbers those of a row from 1. The last row is filled up with token 0 and segment 0. A row of L tokens is
    L - 1 targets for a model that names the next one:

    - ``stride=length``, the default, reads every token once; the first of a row is nobody's target.
    - ``stride=length - 1`` makes every token but the very first a target once.
    - ``stride=1`` makes every position the start of a row: ``length=65, stride=1`` are the windows that nanoGPT with a
      context of 64 draws at random.

    Args:
      pattern: paths or globs of UTF-8 files, separated by commas.
      split: "train" or "test".
      tokenizer: "bytes", "chars" (by the characters of all files, test included, as nanoGPT does) or what
        `jssl.data.text.tokenizers.make` takes. A Hugging Face tokenizer is given the text in pieces of about a megabyte that
        end where a line does.
      length: L, tokens of a row.
      stride: tokens from the start of a row to that of the next; None is ``length``.
      holdout: part of the text that is "test".
      cache: folder to keep tokens in; None is $XDG_CACHE_HOME/jssl/tokens, or ~/.cache/jssl/tokens.

    Raises:
      ValueError: nothing matches, a file is no text, a split is empty, or an option is out of range.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "a.txt").write_text("to be or not to be" * 10)
    ...     source = TextSource(f"{folder}/a.txt", tokenizer="chars", length=8, cache=folder)
    ...     len(source), source.about.vocabulary, source[0]["tokens"].tolist(), source[20]["segments"].tolist()
    (21, 7, [6, 4, 0, 1, 2, 0, 4, 5], [1, 1, 0, 0, 0, 0, 0, 0])
    """

    OPTIONS = {"tokenizer": str, "length": int, "stride": int, "holdout": (int, float), "cache": str}

    def __init__(self, pattern, split="train", *, tokenizer="bytes", length=256, stride=None, holdout=0.1, cache=None):
        if split not in ("train", "test"):
            raise ValueError(f'split is "{split}"; use "train" or "test"')
        if not 0 <= holdout < 1:
            raise ValueError(f"holdout is {holdout}; use a fraction from 0 to below 1")
        stride = length if stride is None else stride
        if length < 2 or not 1 <= stride <= length:
            raise ValueError(
                f"length={length}, stride={stride}; use a length of at least 2 and a stride from 1 to length"
            )
        paths = _find(pattern)
        self._cache, self._split = open_cache(paths, tokenizer, holdout, cache), split
        self.length, self.stride = length, stride
        self._count = self._cache.counts[split]
        if not self._count:
            raise NoSplit(f'no text is left for split "{split}" of {pattern}; change holdout={holdout}')
        self.spec = {name: jax.ShapeDtypeStruct((length,), np.int32) for name in ("tokens", "segments")}
        self.about = About(vocabulary=self._cache.vocabulary, tokenizer=self._cache.tokenizer)
        told = repr((self._cache.key, split, length, stride))
        self.fingerprint = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()

    def __len__(self):
        return 1 + -(-max(0, self._count - self.length) // self.stride)

    def __getitem__(self, index):
        start = range(len(self))[index] * self.stride
        tokens, starts = self._mapped
        row = tokens[start : start + self.length].astype(np.int32)
        document = np.searchsorted(starts, np.arange(start, start + len(row)), "right")
        segments = (document - document[0] + 1).astype(np.int32)
        room = (0, self.length - len(row))
        return {"tokens": np.pad(row, room), "segments": np.pad(segments, room)}

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name != "_mapped"}  # pickling would load it

    @functools.cached_property
    def _mapped(self) -> tuple[np.ndarray, np.ndarray]:
        return self._cache.tokens(self._split), self._cache.starts(self._split)


def _find(pattern: str) -> list[str]:
    """The files of paths and globs; in the given order, those of a glob by name."""
    found = []
    for part in filter(None, (part.strip() for part in pattern.split(","))):
        paths = expand(part)
        files = [path for path in paths if os.path.isfile(path)]
        if not files:
            if paths:
                raise ValueError(f"{part} is a folder; write {part}/*.txt, or **/*.txt for the folders below it too")
            raise ValueError(f"no file matches {part}; give the path or glob of text files")
        found += files
    return list(dict.fromkeys(found))
