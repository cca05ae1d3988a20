"""Pictures with captions, named by a table or side by side in archives."""

import dataclasses
import hashlib
import os

import jax
import numpy as np

from jssl.data.files.archive import Place, members, read
from jssl.data.files.shares import hold_out
from jssl.data.images.caption_table import read_table
from jssl.data.images.encoded import EncodedSource
from jssl.data.images.shards import read_shards
from jssl.data.source import NoSplit
from jssl.data.text import tokenizers

__all__ = ["CaptionsSource"]


class CaptionsSource(EncodedSource):
    """Pictures and what they show: ``captions`` (C, L) int32 beside the fields of `EncodedSource`.

    The table is a .csv or .tsv file with a line of column names, or a .jsonl file with an object a line. A picture with
    several captions has several lines, or in .jsonl a list. Examples come in the order in which the table first names
    their files; every so many-th is "test".

    Archives stand for a table where they hold, as WebDataset's shards do, a picture and its caption under one key: 17.jpg
    and 17.txt, or "caption" or "text" in 17.json. Their classes are in .cls, or "label", "class" or "cls" in .json.

    Each caption is a row as `jssl.data.text.tokenizers.row` makes it: beginning, tokens, end, zeros. The captions that a
    picture lacks are zeros.

    Args:
      path: of the table; or paths or globs of archives, separated by commas.
      split: "train", "test" or "all".
      images: the folder, or the tar archive, that the table's file names start from, as seen from the folder of the
        table, which is the default. Archives that stand for a table hold their own.
      file_column: name of the column of files.
      caption_column: name of the column of captions.
      label_column: name of the column of classes, "cls" in archives; None is no labels. An empty cell is a class of its
        own.
      captions: C, at most so many captions of a picture; None is the most that one has.
      length: L, tokens of a caption.
      tokenizer: see `jssl.data.text.tokenizers.make`; one that pads with 0.
      image_size: see `EncodedSource`.
      holdout: part of the pictures that is "test".
      on_error: "raise" or "skip", see `EncodedSource`.

    Raises:
      ValueError: if the table is missing, empty or damaged, a picture that it names is not there, or an option is out
        of range.

    >>> import pathlib, tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("a.png", "b.png"):
    ...         Image.new("RGB", (8, 8)).save(f"{folder}/{name}")
    ...     _ = pathlib.Path(folder, "table.csv").write_text("file,caption\\na.png,a cat\\nb.png,a dog\\nb.png,a puppy\\n")
    ...     source = CaptionsSource(f"{folder}/table.csv", holdout=0, length=7, image_size=8)
    ...     source[0]["captions"].tolist(), source[1]["captions"].shape
    ([[1, 100, 35, 102, 100, 119, 2], [0, 0, 0, 0, 0, 0, 0]], (2, 7))
    """

    OPTIONS = {
        "images": str,
        "file_column": str,
        "caption_column": str,
        "label_column": str,
        "captions": int,
        "length": int,
        "tokenizer": str,
        "image_size": int,
        "holdout": (int, float),
        "on_error": str,
    }

    def __init__(
        self,
        path,
        split="train",
        *,
        images=None,
        file_column="file",
        caption_column="caption",
        label_column=None,
        captions=None,
        length=128,
        tokenizer="bytes",
        image_size=None,
        holdout=0.1,
        on_error="raise",
    ):
        if split not in ("train", "test", "all"):
            raise ValueError(f'split is "{split}"; use "train", "test" or "all"')
        if not 0 <= holdout < 1:
            raise ValueError(f"holdout is {holdout}; use a fraction from 0 to below 1")
        if captions is not None and captions < 1:
            raise ValueError(f"captions is {captions}; use at least 1, or leave it out")
        path = os.path.expanduser(path)
        places: dict[str, Place] | None = None
        if ".tar" in os.path.basename(path):
            table, places = read_shards(path, label_column)
        else:
            table = read_table(path, file_column, caption_column, label_column)
        count = captions or max(len(entry.captions) for entry in table.values())
        held = hold_out(np.zeros(len(table)), holdout)
        names = [name for name, out in zip(table, held) if split == "all" or out == (split == "test")]
        if not names:
            raise NoSplit(f'no picture is left for split "{split}" of {path}; change holdout={holdout}')
        root = os.path.join(os.path.dirname(path), os.path.expanduser(images or ""))
        self._places = _places(names, root) if places is None else places
        missing = [name for name in names if name not in self._places]
        if missing and (on_error == "raise" or len(missing) == len(names)):
            told = f"{missing[0]}, one of {len(missing)} that {path} names, is not in {root or '.'}"
            raise ValueError(f"{told}; give images=<folder or tar> that its names start from")
        classes = tuple(sorted({entry.label for entry in table.values() if entry.label is not None}))
        numbers = {label: number for number, label in enumerate(classes)}
        labels = [numbers[table[name].label] for name in names] if label_column else None
        super().__init__(names, labels, classes, image_size=image_size, on_error=on_error)
        self._texts = [table[name].captions for name in names]
        self._count, self._length, self._tokenizer = count, length, tokenizers.make(tokenizer)
        tokenizers.row(self._tokenizer, "", length)  # whether captions can be made at all is said here
        self.spec = {**self.spec, "captions": jax.ShapeDtypeStruct((count, length), np.int32)}
        about = {"vocabulary": self._tokenizer.vocabulary, "tokenizer": self._tokenizer.spec}
        self.about = dataclasses.replace(self.about, **about)
        told = repr((self.fingerprint, self._texts, count, length, self._tokenizer.spec))
        self.fingerprint = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()

    def read(self, index):
        """The encoded bytes of an example."""
        name = self.names[index]
        if name not in self._places:
            raise OSError("there is no such file")
        return read(self._places[name])

    def __getitem__(self, index):
        example = super().__getitem__(index)
        at = range(len(self))[index]
        while at in self.replaced:  # by the next one: the captions are of the picture that is seen
            at = (at + 1) % len(self)
        texts = self._texts[at][: self._count]
        rows = [tokenizers.row(self._tokenizer, text, self._length) for text in texts]
        missing = [np.zeros(self._length, np.int32)] * (self._count - len(rows))
        return example | {"captions": np.stack(rows + missing)}


def _places(names: list[str], root: str) -> dict[str, Place]:
    """Where the bytes of each picture are; those that are nowhere are left out."""
    if os.path.isfile(root):
        found = {member.name: member.place for member in members(root)[0]}
        return {name: found[name] for name in names if name in found}
    paths = {name: os.path.join(root, name) for name in names}
    return {name: (path, 0, -1) for name, path in paths.items() if os.path.isfile(path)}
