"""Features of any number of examples in one file, written batch by batch: .npz, .npy or .parquet.

The file is written under another name beside its place and renamed when it is whole: what has the name that was asked for
is never a part, and a place that cannot be written is known before anything is computed.
"""

import errno
import json
import os
import pathlib
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, NamedTuple

import numpy as np

__all__ = ["FeatureFile"]

_ROW_GROUP = 32 * 2**20
"""Bytes of features in a row group of a .parquet file: what its readers hold at a time."""


class Examples(NamedTuple):
    """What is known of the examples before their features are.

    Attributes:
      length: N.
      names: of their files, (N,); None where they are no files.
      class_names: names of the labels; empty where there are none.
    """

    length: int
    names: Sequence[str] | None = None
    class_names: Sequence[str] = ()


class FeatureFile:
    """A file of features that is being made; a context, which removes what it has begun where anything fails.

    ===========  =====================================================================================================
    ``.npz``     arrays ``features`` (N, ...) float32, ``labels`` (N,) int32, ``class_names`` and ``names`` (N,) text
    ``.npy``     the features alone, to be memory-mapped; labels, class names and names are in a .json beside it
    ``.parquet`` a row per example: ``name``, ``label``, ``class`` and the list ``features``; needs pyarrow
    ===========  =====================================================================================================

    What the examples do not have is left out.

    Args:
      out: the file; its ending says the format.

    Raises:
      ValueError: another ending, or a .parquet without pyarrow.
      OSError: a place that cannot be written, or that is full.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, FeatureFile(f"{folder}/x.npz") as file:
    ...     shape = file.write([{"features": np.ones((2, 3), np.float32)}], Examples(2, names=["a.png", "b.png"]))
    ...     read = np.load(f"{folder}/x.npz")
    ...     shape, read["features"].shape, read["names"].tolist()
    ((2, 3), (2, 3), ['a.png', 'b.png'])
    """

    def __init__(self, out: str | pathlib.Path):
        self.out = pathlib.Path(out).expanduser()
        if self.out.suffix not in _FORMATS:
            raise ValueError(f"--out {out}: its ending says the format; use one of {', '.join(_FORMATS)}")
        self._write = _FORMATS[self.out.suffix]
        if self._write is _parquet:
            _pyarrow()
        self._part = self.out.with_name(f".{self.out.name}.{os.getpid()}")

    def __enter__(self):
        try:
            if self.out.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self._file = open(self._part, "wb")
        except OSError as error:
            raise self._told(error) from error
        return self

    def write(self, parts: Iterable[dict[str, np.ndarray]], examples: Examples) -> tuple[int, ...]:
        """Writes all of it.

        Args:
          parts: batches in order: ``features`` (rows, ...) float32 and perhaps ``label`` (rows,) int32.
          examples: what is known of them.

        Returns:
          The shape of the features.
        """
        try:
            shape, beside = self._write(self._file, iter(parts), examples)
            self._file.flush()
            os.fsync(self._file.fileno())  # a disk that is full may say so only here
            if beside is not None:
                self._part.with_suffix(".json").write_text(beside)
                os.replace(self._part.with_suffix(".json"), self.out.with_suffix(".json"))
            os.replace(self._part, self.out)
        except OSError as error:
            raise self._told(error) from error
        return shape

    def __exit__(self, *error):
        try:
            self._file.close()
        except OSError:  # a full disk, once more
            pass
        for path in (self._part, self._part.with_suffix(".json")):
            path.unlink(missing_ok=True)

    def _told(self, error: OSError) -> OSError:
        return OSError(
            f"{self.out} cannot be written: {error.strerror or error}; free space there or use another --out"
        )


def _npz(file: IO[bytes], parts: Iterator[dict], examples: Examples):
    with zipfile.ZipFile(file, "w") as archive:

        def member(name):
            return archive.open(f"{name}.npy", "w", force_zip64=True)  # its size is not known beforehand

        with member("features") as inside:
            shape, labels = _rows(inside, parts, examples.length)
        if labels is not None:
            with member("labels") as inside:
                np.lib.format.write_array(inside, labels)
        for name, texts in (("class_names", examples.class_names), ("names", examples.names)):
            if texts:
                with member(name) as inside:
                    _texts(inside, texts)
    return shape, None


def _npy(file: IO[bytes], parts: Iterator[dict], examples: Examples):
    shape, labels = _rows(file, parts, examples.length)
    beside = {
        "names": None if examples.names is None else list(examples.names),
        "labels": None if labels is None else labels.tolist(),
        "class_names": list(examples.class_names),
    }
    return shape, json.dumps({name: value for name, value in beside.items() if value})


def _rows(file: IO[bytes], parts: Iterator[dict], count: int):
    """Writes (N, ...) features as they come, in the format of np.save; their shape, and the labels if there are any."""
    labels: list[np.ndarray] = []
    shape: tuple[int, ...] = ()
    for part in parts:
        if not shape:
            shape = (count, *part["features"].shape[1:])
            _header(file, "<f4", shape)
        file.write(part["features"].astype("<f4", order="C", copy=False).data)
        if "label" in part:
            labels.append(part["label"])
    return shape, np.concatenate(labels) if labels else None


def _texts(file: IO[bytes], texts: Sequence[str]) -> None:
    """Writes an array of text, some thousands at a time: each takes as much place as the longest."""
    dtype = f"<U{max(1, max(map(len, texts)))}"
    _header(file, dtype, (len(texts),))
    for start in range(0, len(texts), 4096):
        file.write(np.array(texts[start : start + 4096], dtype).tobytes())


def _header(file: IO[bytes], dtype: str, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})


def _parquet(file: IO[bytes], parts: Iterator[dict], examples: Examples):
    pa, parquet = _pyarrow()
    classes = pa.array(list(examples.class_names), pa.string())
    writer, shape, start = None, (), 0
    for part in _grouped(parts):
        features = part["features"]
        shape, end = (examples.length, *features.shape[1:]), start + len(features)
        columns = {}
        if examples.names is not None:
            names = [name.encode("utf-8", "backslashreplace").decode() for name in examples.names[start:end]]
            columns["name"] = pa.array(names, pa.string())
        if "label" in part:
            columns["label"] = pa.array(part["label"])
            if examples.class_names:
                columns["class"] = pa.DictionaryArray.from_arrays(columns["label"], classes)
        values = pa.array(features.reshape(-1))
        for size in reversed(features.shape[1:]):
            values = pa.FixedSizeListArray.from_arrays(values, size)
        table = pa.table({**columns, "features": values})
        writer = writer or parquet.ParquetWriter(file, table.schema)
        writer.write_table(table)
        start = end
    if writer is not None:
        writer.close()
    return shape, None


def _grouped(parts: Iterator[dict]) -> Iterator[dict]:
    """Batches joined into row groups."""
    held: list[dict] = []
    for part in parts:
        held.append(part)
        if sum(each["features"].nbytes for each in held) >= _ROW_GROUP:
            yield {name: np.concatenate([each[name] for each in held]) for name in part}
            held = []
    if held:
        yield {name: np.concatenate([each[name] for each in held]) for name in held[0]}


def _pyarrow():
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ValueError(".parquet files take pyarrow: pip install 'jssl[parquet]', or use .npz or .npy") from error
    return pyarrow, pyarrow.parquet


_FORMATS = {".npz": _npz, ".npy": _npy, ".parquet": _parquet}
