"""Sources by name, and what opens one from a line of text."""

import functools
import importlib
from typing import Any

from jssl.data.joined import whole
from jssl.data.source import Source
from jssl.hints import nearest

__all__ = ["open_source", "parse_spec", "register"]

# kind -> class, or module and name; imported when asked for, so that tfds costs nothing to those who do not use it
_KINDS: dict[str, Any] = {
    "synthetic": ("jssl.data.synthetic.images", "SyntheticSource"),
    "tar": ("jssl.data.images.tar", "TarSource"),
    "folder": ("jssl.data.images.folder", "FolderSource"),
    "files": ("jssl.data.images.file_list", "FilesSource"),
    "idx": ("jssl.data.images.idx", "IdxSource"),
    "tfds": ("jssl.data.images.tfds", "TFDSSource"),
    "text": ("jssl.data.text.rows", "TextSource"),
    "captions": ("jssl.data.images.captions", "CaptionsSource"),
    "video": ("jssl.data.recordings.video", "VideoSource"),
    "audio": ("jssl.data.recordings.audio", "AudioSource"),
    "synthetic_text": ("jssl.data.synthetic.text", "SyntheticTextSource"),
    "synthetic_clips": ("jssl.data.synthetic.clips", "SyntheticClipsSource"),
    "synthetic_sound": ("jssl.data.synthetic.sound", "SyntheticSoundSource"),
    "synthetic_rooms": ("jssl.data.synthetic.rooms", "SyntheticRoomsSource"),
}
_MADE = (
    "synthetic",
    "synthetic_text",
    "synthetic_clips",
    "synthetic_sound",
    "synthetic_rooms",
)  # by code: no path, and options behind the colon
_WHOLE = (
    "tar",
    "folder",
    "files",
    "tfds",
    "captions",
    "video",
    "audio",
)  # know the split "all"; of other kinds train and test are joined


def _value(text: str):
    """An option's text as int, float or str."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def register(kind: str):
    """Decorates a source class that opens as ``kind:<path>``, from then on.

    It is called as ``Source(path, split="train", **options)``; ``OPTIONS`` says the type, or the types, of each option.

    >>> import numpy as np
    >>> from jssl.data import ArraySource
    >>> @register("squares")
    ... class Squares(ArraySource):
    ...     OPTIONS = {"limit": int}
    ...     def __init__(self, path, split="train", *, limit=4):
    ...         super().__init__({"square": np.arange(limit) ** 2})
    >>> open_source("squares:anywhere?limit=3")[2]["square"].item()
    4
    >>> del _KINDS["squares"]
    """

    def add(source):
        _KINDS[kind] = source
        return source

    return add


def parse_spec(spec: str) -> tuple[str, str, dict]:
    """Splits "kind:path?key=value&key=value" (synthetic: "synthetic:key=value,key=value").

    >>> parse_spec("tar:a/train_?.tar?limit=10&on_error=skip")
    ('tar', 'a/train_?.tar', {'limit': 10, 'on_error': 'skip'})
    """
    kind, _, rest = spec.partition(":")
    if kind not in _KINDS:
        raise ValueError(f'data "{spec}" has no kind that is known{nearest(kind, _KINDS)}')
    path, pairs = rest, ""
    if kind in _MADE:
        path, pairs = "", rest.lstrip("?").replace("&", ",")
    elif "=" in rest.rpartition("?")[2] and "?" in rest:  # a glob may hold a question mark too
        path, _, pairs = rest.rpartition("?")
        pairs = pairs.replace("&", ",")
    options = {}
    for pair in filter(None, pairs.split(",")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f'option "{pair}" of data "{spec}" has no value; write {pair}=<value>')
        options[key.strip()] = _value(value.strip())
    if kind not in _MADE and not path:
        raise ValueError(f'data "{spec}" names nothing to open; write {kind}:<path>')
    return kind, path, options


def open_source(spec: str, split: str = "train", **defaults) -> Source:
    """Opens a data set from one line of text.

    ===================================== ==========================================================================
    synthetic:key=value,...               made by code: num_examples, image_size, seed, num_classes
    tar:<paths or globs, comma>           archives; the class is the parent folder
    folder:<path or glob>                 image folder, with or without train/, test/, val/
    files:<list>                          pictures that a text file names, one a line
    idx:<folder>                          the four MNIST style files
    tfds:<name>[:split]                   TensorFlow Datasets prepared as array_record
    text:<paths or globs, comma>          UTF-8 files as rows of tokens: tokenizer, length, stride, holdout, cache
    captions:<table or archives>          images and captions, named by a .csv or .jsonl file, or in WebDataset shards
    video:<folder, glob or archives>      clips of videos: frames, stride, clips, image_size
    audio:<folder, glob or archives>      sounds: rate, seconds, pattern, test
    synthetic_text:key=value,...          sentences made by code: num_examples, length, seed
    synthetic_clips:key=value,...         moving shapes made by code: num_examples, frames, image_size, seed, flow, sound
    synthetic_sound:key=value,...         sounds made by code: num_examples, seconds, rate, seed
    synthetic_rooms:key=value,...         a dot that acts in two rooms: num_examples, frames, image_size, seed, doors
    ===================================== ==========================================================================

    Options follow a question mark: "folder:photos?image_size=96&on_error=skip". Pictures may differ in size: each is
    resized whole to one canvas, see `jssl.data.images.encoded.EncodedSource`.

    Args:
      spec: kind and place, as above.
      split: "train", "test" or "all": every example, none held out; pictures of files in the order of their names (in an
        archive of the members), other examples as train and test after it.
      **defaults: options for where spec does not set them and the kind has them; None is no option.

    Returns:
      The source.

    Raises:
      NoSplit: the data has no example of that split.
      ValueError: one line that says what is wrong with the spec or the data, and what to do.

    >>> open_source("synthetic:num_examples=20", "train").about.num_classes
    10
    """
    kind, path, options = parse_spec(spec)
    opener = _KINDS[kind]
    if isinstance(opener, tuple):
        opener = getattr(importlib.import_module(opener[0]), opener[1])
    known = opener.OPTIONS
    unknown = next((key for key in options if key not in known), None)
    if unknown is not None:
        raise ValueError(f'data "{spec}" has no option "{unknown}"{nearest(unknown, known)}')
    for key, value in options.items():
        if not isinstance(value, known[key]):
            raise ValueError(f'option {key}={value} of data "{spec}" is not {" or ".join(_names(known[key]))}')
    options = {k: v for k, v in defaults.items() if k in known and v is not None} | options
    place = () if kind in _MADE else (path,)
    if split == "all" and kind not in _WHOLE:
        return whole(functools.partial(opener, *place, **options))
    return opener(*place, split=split, **options)


def _names(kinds):
    return [kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,))]
