"""What tar archives hold, found in one pass without unpacking them."""

import json
import os
import posixpath
import re
import tarfile
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from jssl.data.files.names import is_image
from jssl.data.files.paths import expand
from jssl.data.files.splits import role

__all__ = ["Inside", "Member", "inside", "members", "read"]

_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
_LABELS = ("label", "class", "cls")  # keys of a .json
_CAPTIONS = ("caption", "text")
_LONGEST = 1 << 20  # bytes: what is longer is of more than one picture

Place = bytes | tuple[str, int, int]
"""The bytes of a file, or where they are: path, start, size (-1 is up to the end)."""


class Member(NamedTuple):
    """A picture, or another file that is wanted, in an archive.

    Attributes:
      name: of the member.
      place: where its bytes are.
      label: what a .cls or .json member of the same key says of its class, as in WebDataset; None where none does.
      caption: what a .txt or .json member of the same key says that it shows; None where none does.
    """

    name: str
    place: Place
    label: str | None = None
    caption: str | None = None


def read(place: Place) -> bytes:
    """The bytes of a file."""
    if isinstance(place, bytes):
        return place
    path, start, size = place
    with open(path, "rb") as file:  # at every read: archives may be more than a process may hold open
        file.seek(start)
        return file.read(size)


def members(path: str, wanted: Callable[[str], bool] = is_image) -> tuple[list[Member], list[str]]:
    """The pictures of an archive in its order, and the names of links to what is not in it.

    Links to pictures are pictures, and links to folders are folders of the same pictures. Compressed archives have no
    random access: the bytes of their pictures are kept.

    Args:
      path: of the archive.
      wanted: the names that are taken; pictures, unless it says else.

    Raises:
      ValueError: if the archive is damaged or is none.
    """
    places: dict[str, Place | tarfile.TarInfo] = {}
    labels: dict[str, str] = {}
    captions: dict[str, str] = {}
    try:
        with open(path, "rb") as file:
            compressed = file.read(5).startswith(_COMPRESSED)
        with tarfile.open(path, "r:*" if compressed else "r:") as archive:
            for member in archive:
                name = posixpath.normpath(member.name)
                stem, extension = posixpath.splitext(name)
                if member.issym() or member.islnk():
                    places[name] = member
                elif member.isfile() and wanted(name):
                    places[name] = _content(archive, member) if compressed else (path, member.offset_data, member.size)
                elif member.isfile() and extension in (".cls", ".txt", ".json") and member.size <= _LONGEST:
                    content = _content(archive, member)
                    for told, own, keys in ((labels, ".cls", _LABELS), (captions, ".txt", _CAPTIONS)):
                        if extension not in (own, ".json") or (extension == ".json" and _key(name) in told):
                            continue
                        if text := _told(content, keys if extension == ".json" else None):
                            told[_key(name)] = text
                archive.members = []  # type: ignore[attr-defined]  # tarfile keeps every header otherwise
            # tarfile takes a file that stops between two members for a whole one.
            archive.fileobj.seek(archive.offset)
            if (
                archive.fileobj.read(512).strip(b"\0")
                or not compressed
                and os.path.getsize(path) < archive.offset + 512
            ):
                raise tarfile.ReadError("it has no end mark, so it was cut short")
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise ValueError(f"cannot read archive {path}: {error}; is it whole and a tar file?") from error
    found, lost = [], []
    for name, place in places.items():
        if not isinstance(place, tarfile.TarInfo):
            found.append((name, place))
            continue
        followed = _follow(name, place, places)
        if not followed and wanted(name):
            lost.append(name)
        found += followed
    return [Member(name, place, labels.get(_key(name)), captions.get(_key(name))) for name, place in found], lost


def _follow(name: str, link: tarfile.TarInfo, places: dict) -> list[tuple[str, Place]]:
    """The pictures that a link leads to, by the names that they have there."""
    for _ in range(40):  # a circle ends too
        target = posixpath.normpath(
            link.linkname if link.islnk() else posixpath.join(posixpath.dirname(link.name), link.linkname)
        )
        place = places.get(target)
        if not isinstance(place, tarfile.TarInfo):
            break
        link = place
    else:
        return []
    if place is not None:
        return [(name, place)]
    inside = ((other, place) for other, place in places.items() if other.startswith(f"{target}/"))
    return [(name + other[len(target) :], place) for other, place in inside if not isinstance(place, tarfile.TarInfo)]


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    return archive.extractfile(member).read()  # type: ignore[union-attr]  # a file


def _key(name: str) -> str:
    """What the files of one example share in WebDataset: the name up to the first dot after the last slash."""
    folder, file = posixpath.split(name)
    return posixpath.join(folder, file.partition(".")[0])


def _told(content: bytes, keys: tuple[str, ...] | None) -> str | None:
    """The text of a member, or of the first of some keys of a .json; None where there is none."""
    try:
        text = content.decode().strip()
        if keys:
            fields: Any = json.loads(text)
            text = next((str(fields[key]) for key in keys if key in fields), "") if isinstance(fields, dict) else ""
        return text or None
    except ValueError:
        return None


class Inside(NamedTuple):
    """The files of some archives.

    Attributes:
      names: of each file, as classes and splits are read off them.
      members: likewise; where its bytes are, and what is said of it.
      paths: of the archive of each; of the archives where there are no files.
      lost: links to what is not there.
    """

    names: list[str]
    members: list[Member]
    paths: list[str]
    lost: list[str]


def inside(pattern: str, wanted: Callable[[str], bool] = is_image) -> Inside:
    """The pictures in archives, in their order, or other files.

    Args:
      pattern: paths or globs of archives, separated by commas.
      wanted: the names that are taken.

    Raises:
      ValueError: if nothing matches, or an archive is broken.
    """
    patterns = [pattern] if os.path.exists(pattern) else pattern.split(",")
    archives = list(dict.fromkeys(path for part in patterns for path in expand(part)))
    if not archives:
        raise ValueError(f"no archive matches {pattern}; give the path or glob of .tar or .tar.gz files")
    found: list[Member] = []
    paths: list[str] = []
    lost: list[str] = []
    for path in archives:
        own, links = members(path, wanted)
        found += own
        paths += [path] * len(own)
        lost += [f"{link} in {path}" for link in links]
    names = [member.name for member in found]
    if _are_folders(archives, names):
        names = [f"{_stem(path)}/{name}" for path, name in zip(paths, names)]
    return Inside(names, found, paths or archives, lost)


def _stem(path: str) -> str:
    return os.path.basename(path).partition(".tar")[0]


def _are_folders(paths: list[str], names: list[str]) -> bool:
    """Whether the names of archives say more than those of their members."""
    stems = [_stem(path) for path in paths]
    if len(paths) == 1 or all(role(stem) for stem in stems):
        return len(paths) > 1
    numbered = [match for stem in stems if (match := re.fullmatch(r"(.*?)(\d+)", stem))]
    if len(numbered) == len(stems) and len({match[1] for match in numbered}) == 1:
        numbers = sorted(int(match[2]) for match in numbered)
        if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return False
    return not any("/" in name for name in names)
