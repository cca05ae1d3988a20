"""The tables that name pictures and their captions."""

import csv
import json
import os
import posixpath
from collections.abc import Iterator
from typing import Any, NamedTuple

from jssl.hints import nearest

__all__ = ["Entry", "read_table"]

_DELIMITERS = {".csv": ",", ".tsv": "\t"}


class Entry(NamedTuple):
    """What a table says of a picture.

    Attributes:
      captions: at least one.
      label: name of its class; None where the table has no such column.
    """

    captions: list[str]
    label: str | None


def read_table(path: str, file: str, caption: str, label: str | None = None) -> dict[str, Entry]:
    """Reads a .csv or .tsv file with a line of column names, or a .jsonl file with an object a line.

    Args:
      path: of the table.
      file: name of the column of file names.
      caption: name of the column of captions: text, or in .jsonl a list of texts too.
      label: name of the column of classes, or None.

    Returns:
      File name -> what is said of it, in the order in which files are first named. Lines of one file are brought together.

    Raises:
      ValueError: the table cannot be read, has no such column, or a line of it lacks something.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = pathlib.Path(folder, "table.csv")
    ...     _ = table.write_text("file,caption\\na.png,a cat\\nb.png,a dog\\na.png,a grey cat\\n")
    ...     read_table(str(table), "file", "caption")
    {'a.png': Entry(captions=['a cat', 'a grey cat'], label=None), 'b.png': Entry(captions=['a dog'], label=None)}
    """
    columns = [name for name in (file, caption, label) if name is not None]
    entries: dict[str, Entry] = {}
    try:
        for number, line in _lines(path):
            for column in columns:
                if column not in line:
                    raise ValueError(
                        f'line {number} of {path} has no column "{column}"{nearest(column, filter(None, line))}'
                    )
            texts = line[caption] if isinstance(line[caption], list) else [line[caption]]
            known = [isinstance(text, str) and text.strip() for text in [line[file], *texts]]
            if not texts or not all(known):
                raise ValueError(
                    f"line {number} of {path} has no {caption if known[0] else file}; write it, or take the line out"
                )
            named = posixpath.normpath(line[file].strip())
            told = None if label is None else str(line[label])
            entry = entries.setdefault(named, Entry([], told))
            if entry.label != told:
                raise ValueError(f"line {number} of {path} puts {named} in {told}, an earlier one in {entry.label}")
            entry.captions.extend(text.strip() for text in texts)
    except (OSError, UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise ValueError(f"cannot read table {path}: {error}; give a .csv, .tsv or .jsonl file in UTF-8") from error
    if not entries:
        raise ValueError(f"table {path} names no picture; write a line for each, with {file} and {caption}")
    return entries


def _lines(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and columns of every line."""
    kind = os.path.splitext(path)[1].lower()
    if kind not in (*_DELIMITERS, ".jsonl"):
        raise ValueError(f"table {path} is not called .csv, .tsv or .jsonl; these are the kinds that can be read")
    with open(path, encoding="utf-8-sig", newline="") as file:
        if kind in _DELIMITERS:
            reader = csv.DictReader(file, delimiter=_DELIMITERS[kind], strict=True)
            yield from ((reader.line_num, line) for line in reader)
            return
        for number, text in enumerate(file, 1):
            if text.strip():
                line = json.loads(text)
                if not isinstance(line, dict):
                    raise ValueError(f"line {number} of {path} is not a JSON object; write {{...}} on each line")
                yield number, line
