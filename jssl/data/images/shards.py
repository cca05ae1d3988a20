"""Captions that lie beside their pictures in archives, as in WebDataset's shards."""

import os

from jssl.data.files.archive import Place, members
from jssl.data.files.paths import expand
from jssl.data.images.caption_table import Entry

__all__ = ["read_shards"]


def read_shards(pattern: str, label: str | None = None) -> tuple[dict[str, Entry], dict[str, Place]]:
    """The pictures that have a caption.

    Args:
      pattern: paths or globs of archives, separated by commas.
      label: "cls" if classes are wanted, or None.

    Returns:
      "archive/member" -> what is said of it, in the order of the archives; and where its bytes are.

    Raises:
      ValueError: no such archive, a damaged one, no picture with a caption, or one without the class that is wanted.
    """
    patterns = [pattern] if os.path.exists(pattern) else pattern.split(",")
    paths = list(dict.fromkeys(path for part in patterns for path in expand(part)))
    if not paths:
        raise ValueError(f"no archive matches {pattern}; give the path or glob of .tar or .tar.gz files")
    if label not in (None, "cls"):
        raise ValueError(
            f'label_column is "{label}"; in archives classes are in .cls or .json: use "cls", or leave it out'
        )
    entries: dict[str, Entry] = {}
    places: dict[str, Place] = {}
    for path in paths:
        for member in members(path)[0]:
            if member.caption is None:
                continue
            if label and member.label is None:
                raise ValueError(f"{member.name} in {path} has a caption but no class; leave label_column out")
            name = f"{os.path.basename(path)}/{member.name}"
            entries[name] = Entry([member.caption], member.label if label else None)
            places[name] = member.place
    if not entries:
        raise ValueError(f"no picture with a caption in {', '.join(paths)}; expected members such as 17.jpg and 17.txt")
    return entries, places
