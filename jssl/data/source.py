"""What a data set looks like to the rest of the library, and the ways to open one."""

import abc
import dataclasses
import functools
import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jssl.data.decode import parallel_map
from jssl.hints import nearest

__all__ = ["About", "NoSplit", "Source", "Spec", "open_source", "register", "stack"]

# kind -> class, or module and name; imported when asked for, so that tfds costs nothing to those who do not use it
_KINDS: dict[str, Any] = {
    "synthetic": ("jssl.data.synthetic", "SyntheticSource"),
    "tar": ("jssl.data.tar", "TarSource"),
    "folder": ("jssl.data.folder", "FolderSource"),
    "files": ("jssl.data.files", "FilesSource"),
    "idx": ("jssl.data.idx", "IdxSource"),
    "tfds": ("jssl.data.tfds", "TFDSSource"),
    "text": ("jssl.data.text", "TextSource"),
    "captions": ("jssl.data.captions", "CaptionsSource"),
    "video": ("jssl.data.video", "VideoSource"),
    "audio": ("jssl.data.audio", "AudioSource"),
    "synthetic_text": ("jssl.data.synthetic_text", "SyntheticTextSource"),
    "synthetic_clips": ("jssl.data.synthetic_clips", "SyntheticClipsSource"),
    "synthetic_sound": ("jssl.data.synthetic_sound", "SyntheticSoundSource"),
}
_MADE = (
    "synthetic",
    "synthetic_text",
    "synthetic_clips",
    "synthetic_sound",
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


Spec = Mapping[str, jax.ShapeDtypeStruct]
"""Shape and dtype of every field of one example."""


class NoSplit(ValueError):
    """The data set is there, but no example of it belongs to the split that was asked for."""


@dataclasses.dataclass(frozen=True)
class About:
    """What is known of a data set beside the shapes of its fields. Saved with a run, as JSON.

    Attributes:
      class_names: names of the labels; empty where there are none.
      mean: of each channel of the pictures, in [0, 1]; None where nobody has measured it.
      std: deviation of each channel.
      vocabulary: token ids are in [0, vocabulary); None where there are no tokens.
      tokenizer: what turned text into tokens, as `jssl.data.tokenizers.make` takes it.
      sample_rate: of the audio, in Hz.
      speakers: names of the speakers; empty where nobody knows who speaks.
    """

    class_names: tuple[str, ...] = ()
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    vocabulary: int | None = None
    tokenizer: str | None = None
    sample_rate: int | None = None
    speakers: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """Number of classes, 0 for a data set without labels."""
        return len(self.class_names)


class Source(abc.ABC):
    """A data set with random access.

    An example is a dict of named arrays. Names mean the same everywhere: ``image`` (H, W, 3) uint8, ``size`` (2,) int32,
    the height and width that the picture had before it was brought to (H, W), ``video`` (T, H, W, 3) uint8, ``audio``
    (T,) int16 or float32, one channel, and ``length`` () int32, its true number of samples, zeros behind it, ``speaker`` () int32,
    ``tokens`` (L,) int32, ``segments`` (L,) int32 (0 is padding; 1, 2, ... the documents packed into the row),
    ``captions`` (C, L) int32, ``label`` () int32. A field that a data set does not have is absent. ``index`` is added by
    the feeds.

    Attributes:
      spec: name -> shape and dtype of every field, fixed when the source is opened, whatever the files look like.
      about: what is known of the data set.
      fingerprint: hash of what index means what example; the same data and options give the same one.
      names: of the files, (N,): relative to the folder, or as in the archive; None where examples are no files.
    """

    spec: Spec
    about: About = About()
    fingerprint: str = ""
    names: Sequence[str] | None = None

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        """The example as ``spec`` says."""

    def __iter__(self):
        return (self[index] for index in range(len(self)))

    @functools.cached_property
    def summary(self) -> str:
        """What was found, in one line: to be told before a run."""
        examples = "1 example" if len(self) == 1 else f"{len(self)} examples"
        return f"{examples} of {self.about.num_classes} classes" if "label" in self.spec else examples

    @functools.cached_property
    def replaced(self) -> set[int]:
        """Indices of the unreadable examples met so far that were replaced by others (on_error="skip")."""
        return set()

    def note_replaced(self, index: int) -> None:
        """Counts an unreadable example, once however often it is met."""
        self.replaced.add(int(index))


def stack(source: Source, indices: Iterable[int] | None = None, *, threads: int | None = None) -> dict[str, np.ndarray]:
    """Examples read in threads and stacked, field by field: name -> (N, ...).

    Args:
      source: the data set.
      indices: which examples; all of them by default.
      threads: see `jssl.data.decode.parallel_map`.

    Raises:
      ValueError: an example is not what ``source.spec`` says.
    """
    indices = range(len(source)) if indices is None else list(indices)
    arrays = {name: np.empty((len(indices), *field.shape), field.dtype) for name, field in source.spec.items()}

    def fill(row):
        example = source[int(indices[row])]
        if example.keys() != arrays.keys():
            raise ValueError(f"example {indices[row]} has the fields {sorted(example)}, not {sorted(arrays)}")
        for name, array in arrays.items():
            value = np.asarray(example[name])
            if value.shape != array.shape[1:] or value.dtype != array.dtype:
                told = f"{value.dtype}{value.shape}, the source's spec says {array.dtype}{array.shape[1:]}"
                raise ValueError(f"{name} of example {indices[row]} is {told}")
            array[row] = value

    parallel_map(fill, range(len(indices)), threads)
    return arrays


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
    synthetic_clips:key=value,...         moving shapes made by code: num_examples, frames, image_size, seed, flow
    synthetic_sound:key=value,...         sounds made by code: num_examples, seconds, rate, seed
    ===================================== ==========================================================================

    Options follow a question mark: "folder:photos?image_size=96&on_error=skip". Pictures may differ in size: each is
    resized whole to one canvas, see `jssl.data.encoded.EncodedSource`.

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
        from jssl.data.joined import whole

        return whole(functools.partial(opener, *place, **options))
    return opener(*place, split=split, **options)


def _names(kinds):
    return [kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,))]
