"""Text files tokenised once, into files that are read by position without being loaded.

A cache is a folder named by a hash of the files' content, the tokenizer and the split, so it is right whenever it is there: it
is made under another name and renamed when whole, and of several processes that make it at the same time the first to
finish wins. It holds, for "train" and "test", the tokens (uint16 or int32, raw) and where documents start, and about.json.
"""

import codecs
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from jssl import user_cache
from jssl.data.text import tokenizers

__all__ = ["TokenCache", "open_cache"]

_VERSION = 1  # raise it when the same files would give other tokens
_BLOCK = 1 << 20  # bytes read at a time
_PIECE = 1 << 24  # characters without a line end that are held at most
_SHOWN = 1 << 26  # bytes of text from which on a bar is shown
_SPLITS = ("train", "test")


class TokenCache(NamedTuple):
    """Where the tokens of a text are.

    Attributes:
      key: hash of everything that decides the tokens.
      folder: of the cache.
      tokenizer: spec of the tokenizer.
      vocabulary: of the tokenizer.
      dtype: of the stored tokens.
      counts: split -> number of tokens.
    """

    key: str
    folder: str
    tokenizer: str
    vocabulary: int
    dtype: str
    counts: dict[str, int]

    def tokens(self, split: str) -> np.ndarray:
        """(T,) memory-mapped."""
        if not self.counts[split]:
            return np.zeros(0, self.dtype)  # an empty file cannot be mapped
        # A plain array on the map: slices of np.memmap itself cost several times as much.
        return np.asarray(np.memmap(os.path.join(self.folder, f"{split}.tokens"), self.dtype, "r"))

    def starts(self, split: str) -> np.ndarray:
        """(D,) int64: the positions at which documents start, in order."""
        return np.load(os.path.join(self.folder, f"{split}.starts.npy"), allow_pickle=False)


def open_cache(paths: Sequence[str], tokenizer: str, holdout: float, folder: str | None = None) -> TokenCache:
    """The tokens of text files, made if they are not there.

    Args:
      paths: of the files, in order; each is a document.
      tokenizer: as `jssl.data.text.tokenizers.make` takes it, or "chars": by the characters of the files.
      holdout: the last part of the characters of all files, which is "test".
      folder: where caches are kept; None is ``tokens`` of `jssl.user_cache`.

    Returns:
      The cache.

    Raises:
      ValueError: a file cannot be read or is no UTF-8 text, or the cache cannot be written or is damaged.
    """
    spec = tokenizer if tokenizer == "chars" else tokenizers.make(tokenizer).spec
    digests = [_digest(path) for path in paths]
    key = hashlib.blake2b(repr((_VERSION, digests, spec, float(holdout))).encode(), digest_size=16).hexdigest()
    parent = os.path.expanduser(folder) if folder else user_cache.folder("tokens")
    whole = os.path.join(parent, key)
    if not os.path.isdir(whole):
        try:
            os.makedirs(parent, exist_ok=True)
            temporary = tempfile.mkdtemp(prefix=f".{key}-", dir=parent)
        except OSError as error:
            raise _unwritable(parent, error) from error
        try:
            _tokenise(paths, spec, holdout, temporary)
            _publish(temporary, whole)
        except OSError as error:
            raise _unwritable(parent, error) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)  # not there any more when all went well
    return _load(key, whole)


def _publish(temporary: str, whole: str) -> None:
    """Renames a finished cache; one that another process has finished first is the same."""
    try:
        os.rename(temporary, whole)
    except OSError:
        if not os.path.isdir(whole):
            raise


def _unwritable(folder: str, error: OSError) -> ValueError:
    return ValueError(f"cannot write the token cache in {folder}: {error.strerror}; name another with cache=<folder>")


def _load(key: str, folder: str) -> TokenCache:
    try:
        with open(os.path.join(folder, "about.json"), encoding="utf-8") as file:
            cache = TokenCache(key, folder, **json.load(file))
        size = np.dtype(cache.dtype).itemsize
        sizes = [os.path.getsize(os.path.join(folder, f"{split}.tokens")) for split in _SPLITS]
        if sizes != [cache.counts[split] * size for split in _SPLITS]:
            raise ValueError("its files do not have their sizes")
        return cache
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"the token cache {folder} is damaged ({error}); delete it, and it is made again") from error


def _digest(path: str) -> str:
    """Hash of a file's content."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}; give text files, as folder/*.txt say") from error


def _pieces(path: str, seen: Callable[[int], object]) -> Iterator[str]:
    """The text of a file, cut at line ends, about a block at a time."""
    decoder, rest, offset = codecs.getincrementaldecoder("utf-8")(), "", 0
    with open(path, "rb") as file:
        while True:
            block = file.read(_BLOCK)
            start = offset - len(
                decoder.getstate()[0]
            )  # a character that the last block broke is decoded with this one
            try:
                rest += decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                told = f"byte {start + error.start} is not UTF-8; convert the file (iconv -t UTF-8) or leave it out"
                raise ValueError(f"cannot read {path} as text: {told}") from error
            if "\0" in rest:
                raise ValueError(f"cannot read {path} as text: it holds zero bytes, as binary files do; leave it out")
            offset += len(block)
            seen(len(block))
            end = rest.rfind("\n") + 1 if block and len(rest) < _PIECE else len(rest)
            if end:
                yield rest[:end]
                rest = rest[end:]
            if not block:
                return


class _Split:
    """The files of one split, as they are written."""

    def __init__(self, folder: str, name: str, dtype: np.dtype):
        self.path, self.dtype, self.count = os.path.join(folder, name), dtype, 0
        self.starts: list[int] = []
        self._file = open(f"{self.path}.tokens", "wb")

    def write(self, tokens: np.ndarray) -> None:
        self._file.write(tokens.astype(self.dtype).tobytes())
        self.count += len(tokens)

    def close(self) -> None:
        self._file.close()
        np.save(f"{self.path}.starts.npy", np.array(self.starts, np.int64))


def _tokenise(paths: Sequence[str], spec: str, holdout: float, folder: str) -> None:
    """Two passes: one to count characters, one to write tokens."""
    sizes = sum(os.path.getsize(path) for path in paths)
    with tqdm(
        total=2 * sizes, desc="tokenising", unit="B", unit_scale=True, leave=False, disable=sizes < _SHOWN
    ) as bar:
        characters: set[str] = set()
        total = 0
        for path in paths:
            for text in _pieces(path, bar.update):
                total += len(text)
                if spec == "chars":
                    characters.update(text)
        if not total:
            raise ValueError(f"there is no text in {', '.join(paths[:3])}; the files are empty")
        tokenizer = tokenizers.make(tokenizers.chars_spec(characters) if spec == "chars" else spec)
        dtype = np.dtype(np.uint16 if tokenizer.vocabulary <= 1 << 16 else np.int32)
        splits = [_Split(folder, name, dtype) for name in _SPLITS]
        try:
            cut, position = int(total * (1 - holdout)), 0
            for path in paths:
                last = None  # the split that the document has been written to so far
                for text in _pieces(path, bar.update):
                    at = min(max(cut - position, 0), len(text))
                    position += len(text)
                    for split, part in zip(splits, (text[:at], text[at:])):
                        if part and split is not last:
                            split.starts.append(split.count)
                            last = split
                        if part:
                            split.write(tokenizer.encode(part))
                if last and tokenizer.eos is not None:
                    last.write(np.array([tokenizer.eos]))
        finally:
            for split in splits:
                split.close()
    about = {
        "tokenizer": tokenizer.spec,
        "vocabulary": tokenizer.vocabulary,
        "dtype": dtype.name,
        "counts": {name: split.count for name, split in zip(_SPLITS, splits)},
    }
    with open(os.path.join(folder, "about.json"), "w", encoding="utf-8") as file:
        json.dump(about, file)
