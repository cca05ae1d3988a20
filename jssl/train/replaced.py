"""replaced.txt: the unreadable examples that a run met and replaced by others (on_error=skip), one a line."""

import pathlib

from jssl import processes
from jssl.data import Source

FILE_NAME = "replaced.txt"

__all__ = ["FILE_NAME", "write_replaced"]


def write_replaced(folder: pathlib.Path, train: Source, held_out: Source | None) -> int:
    """Adds what was replaced so far to the list; a resumed run meets only a part anew.

    All processes must call it: each reads a part of the data. The first one writes.

    Returns:
      How many are listed. No file is made for none.
    """
    file = folder / FILE_NAME
    listed = set(file.read_text().splitlines()) if file.exists() else set()
    for split, source in (("train", train), ("test", held_out)):
        if source is None:
            continue
        names = source.names
        listed |= {f"{split}\t{index if names is None else names[index]}" for index in processes.union(source.replaced)}
    if listed and processes.first():
        file.write_text("".join(f"{line}\n" for line in sorted(listed)))
    return len(listed)
