"""Archives made in a test, and what is found in them."""

import io
import tarfile


def pack(path, members, mode="w"):
    """An archive of name -> bytes, or (type, target) of a link."""
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, tuple):
                info.type, info.linkname = content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def labels(source):
    """Name of each file -> name of its class, or None."""
    names = source.about.class_names
    return {name: names[x["label"]] if "label" in x else None for name, x in zip(source.names, source, strict=True)}
