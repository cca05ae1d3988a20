"""Features of any data set, written to a file as they are computed."""

import collections
import contextlib
import logging
from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from jssl import processes
from jssl.data import Source, open_source
from jssl.report.feature_file import Examples, FeatureFile
from jssl.report.run import load_run

__all__ = ["embed_run"]

logger = logging.getLogger(__name__)


def embed_run(
    workdir: str,
    *,
    data: str,
    out: str,
    split: str = "all",
    readout: str | None = None,
    tokens: bool = False,
    use_teacher: bool = False,
    batch_size: int = 128,
) -> None:
    """Writes the features of a data set to a file, in the order of its examples, in memory that does not grow with them.

    Where several processes run it as one, each reads a part of the examples, and the first one writes: the same file.

    Args:
      workdir: of a run. Its own data, devices and layout are not asked for.
      data: a source, see ``jssl.data.open_source``.
      out: .npz, .npy or .parquet, see ``FeatureFile``: features (N, D) float32, labels and names of files.
      split: "train" or "test"; "all" is every example.
      readout: one of the method's; the first by default.
      tokens: features (N, T, D) of each patch, place or word, not those pooled over the example.
      use_teacher: read the EMA teacher instead of the student.
      batch_size: examples at a time; rounded up to what the devices divide.

    Raises:
      ValueError: no run, no such readout, a method without teacher, an example that cannot be read.
      OSError: ``out`` cannot be written.
    """
    # Before anything is loaded.
    with FeatureFile(out) if processes.first() else contextlib.nullcontext() as file:
        run = load_run(workdir)
        source = open_source(data, split)  # whose kind the run may have registered
        encoder = run.encoder({split: source}, teacher=use_teacher, batch_size=batch_size)
        fields = [name for name in ("label",) if name in source.spec]
        unread: set[int] = set()
        parts = _unread_as_nan(encoder.stream(split, readout, fields=fields, tokens=tokens), source, unread)
        if file is None:
            collections.deque(parts, maxlen=0)  # what it computes the first one gets
            return
        shape = file.write(_with_bar(parts, len(source)), Examples(len(source), source.names, source.about.class_names))
    beside = [what for what, has in (("labels", fields), ("names", source.names)) if has]
    print(f"{file.out}: {' x '.join(map(str, shape))} features{''.join(f', {what}' for what in beside)}")
    if unread:
        logger.warning("%d unreadable of %d have features of NaN: %s", len(unread), len(source), _some(source, unread))


def _with_bar(parts: Iterator[dict], total: int) -> Iterator[dict]:
    with tqdm(total=total, unit="example", disable=None, dynamic_ncols=True) as bar:  # None: in a terminal only
        for part in parts:
            yield part
            bar.update(len(part["features"]))


def _unread_as_nan(parts: Iterator[dict], source: Source, unread: set[int]) -> Iterator[dict]:
    """A source with on_error="skip" puts another example in the place of one that it cannot read: no features of that.

    Which these are is put into ``unread``, whichever process has read them.
    """
    start = 0
    for part in parts:
        end = start + len(part["features"])
        if missing := processes.union(index for index in source.replaced if start <= index < end):
            part["features"] = part["features"].copy()
            part["features"][[index - start for index in missing]] = np.nan
            unread |= missing
        start = end
        yield part


def _some(source: Source, indices: set[int]) -> str:
    chosen = sorted(indices)[:5]
    names = [str(index) if source.names is None else source.names[index] for index in chosen]
    return ", ".join(names) + (", ..." if len(indices) > 5 else "")
