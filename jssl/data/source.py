"""What a data set looks like to the rest of the library, and the ways to open one."""

import abc
import dataclasses
import functools
import hashlib
import importlib
from collections.abc import Iterable, Mapping, Sequence

import jax
import numpy as np

from jssl.data.decode import decode_image, parallel_map, picture_size
from jssl.hints import nearest

__all__ = ["About", "ArraySource", "EncodedSource", "Source", "Spec", "open_source", "stack"]

# kind -> module and function; imported when asked for, so that tfds costs nothing to those who do not use it
_KINDS = {
    "synthetic": ("jssl.data.synthetic", "SyntheticSource"),
    "tar": ("jssl.data.tar", "TarSource"),
    "folder": ("jssl.data.folder", "FolderSource"),
    "idx": ("jssl.data.idx", "IdxSource"),
    "tfds": ("jssl.data.tfds", "TFDSSource"),
    "text": ("jssl.data.text", "TextSource"),
    "captions": ("jssl.data.captions", "CaptionsSource"),
    "synthetic_text": ("jssl.data.synthetic_text", "SyntheticTextSource"),
}
_MADE = ("synthetic", "synthetic_text")  # by code: they name nothing to open


_SAMPLE = 256  # files that are read when a source of pictures is opened
_CANVAS = (256, 256)  # of pictures that differ in size

Spec = Mapping[str, jax.ShapeDtypeStruct]
"""Shape and dtype of every field of one example."""


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
    """

    class_names: tuple[str, ...] = ()
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    vocabulary: int | None = None
    tokenizer: str | None = None
    sample_rate: int | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes, 0 for a data set without labels."""
        return len(self.class_names)


class Source(abc.ABC):
    """A data set with random access.

    An example is a dict of named arrays. Names mean the same everywhere: ``image`` (H, W, 3) uint8, ``size`` (2,) int32,
    the height and width that the picture had before it was brought to (H, W), ``video`` (T, H, W, 3) uint8, ``audio``
    (T,), ``tokens`` (L,) int32, ``segments`` (L,) int32 (0 is padding; 1, 2, ... the documents packed into the row),
    ``captions`` (C, L) int32, ``label`` () int32. A field that a data set does not have is absent. ``index`` is added by
    the feeds.

    Attributes:
      spec: name -> shape and dtype of every field, fixed when the source is opened, whatever the files look like.
      about: what is known of the data set.
      fingerprint: hash of what index means what example; the same data and options give the same one.
    """

    spec: Spec
    about: About = About()
    fingerprint: str = ""

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        """The example as ``spec`` says."""

    def __iter__(self):
        return (self[index] for index in range(len(self)))

    @functools.cached_property
    def replaced(self) -> set[int]:
        """Indices of the unreadable examples met so far that were replaced by others (on_error="skip")."""
        return set()

    def note_replaced(self, index: int) -> None:
        """Counts an unreadable example, once however often it is met."""
        self.replaced.add(int(index))

    def _take(self, indices: np.ndarray, threads: int | None) -> dict[str, np.ndarray]:
        """What `stack` gives; sources that have a faster way than one by one override it."""
        arrays = {name: np.empty((len(indices), *field.shape), field.dtype) for name, field in self.spec.items()}

        def fill(row):
            example = self[int(indices[row])]
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


def stack(source: Source, indices: Iterable[int] | None = None, *, threads: int | None = None) -> dict[str, np.ndarray]:
    """Examples read in threads and stacked, field by field: name -> (N, ...).

    Args:
      source: the data set.
      indices: which examples; all of them by default.
      threads: see `jssl.data.decode.parallel_map`.

    Raises:
      ValueError: an example is not what ``source.spec`` says.

    >>> stack(ArraySource({"tokens": np.arange(6).reshape(3, 2)}), [2, 0])["tokens"].tolist()
    [[4, 5], [0, 1]]
    """
    rows = np.arange(len(source)) if indices is None else np.asarray(list(indices), np.int64)
    return source._take(rows, threads)


class ArraySource(Source):
    """Examples that are already arrays, of any fields.

    Args:
      fields: name -> (N, ...); integer labels become int32.
      about: what is known of them; classes without names are called by their numbers.

    Raises:
      ValueError: no field, no example, lengths that differ, objects, or a field called "index".

    >>> source = ArraySource({"image": np.zeros((5, 8, 8, 3), np.uint8), "label": np.arange(5) % 2})
    >>> source[4]["image"].shape, int(source[4]["label"]), source.about.class_names
    ((8, 8, 3), 0, ('0', '1'))
    """

    def __init__(self, fields: Mapping[str, np.ndarray], about: About | None = None):
        arrays = {name: np.asarray(array) for name, array in fields.items()}
        if not arrays:
            raise ValueError("ArraySource got no fields; give at least one, such as image")
        if "index" in arrays:
            raise ValueError('a field is called "index", which the feeds add; rename it')
        for name, array in arrays.items():
            if array.ndim == 0 or array.dtype == object:
                raise ValueError(f"{name} is {array.dtype}{array.shape}; expected an array (N, ...) of numbers")
        lengths = {name: len(array) for name, array in arrays.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"fields differ in length: {lengths}")
        if not min(lengths.values()):
            raise ValueError(f"{', '.join(arrays)}: no examples; give at least one")
        about = about or About()
        if "label" in arrays:
            labels = arrays["label"]
            if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
                raise ValueError(f"label is {labels.dtype}{labels.shape}; expected (N,) integers from 0 on")
            arrays["label"] = labels.astype(np.int32)
            if not about.class_names:
                about = dataclasses.replace(about, class_names=tuple(map(str, range(int(labels.max()) + 1))))
        self._arrays, self.about = arrays, about
        self.spec = {name: jax.ShapeDtypeStruct(array.shape[1:], array.dtype) for name, array in arrays.items()}
        digest = hashlib.blake2b(repr((sorted(self.spec.items()), about)).encode(), digest_size=16)
        for name in sorted(arrays):
            digest.update(np.ascontiguousarray(arrays[name]))
        self.fingerprint = digest.hexdigest()

    def __len__(self):
        return len(next(iter(self._arrays.values())))

    def __getitem__(self, index):
        return {name: array[index] for name, array in self._arrays.items()}

    def _take(self, indices, threads):
        return {name: array[indices] for name, array in self._arrays.items()}


class EncodedSource(Source):
    """Image files in some container; subclasses say where the bytes are.

    All pictures have one spec, whatever the files look like: each is resized whole to the source's canvas, and ``size``
    is its true height and width, so that views can crop in true coordinates and restore its aspect. The canvas is
    ``image_size`` x ``image_size``; without that option the size that all of up to 256 evenly spaced files share, and
    256 x 256 where these differ.

    Args:
      names: name of each example, for messages.
      labels: (N,) integers, or None.
      class_names: names of the labels.
      image_size: side of a square canvas.
      on_error: "raise", or "skip": an unreadable image is replaced by the next readable one and counted in `replaced`.
      identity: names that make up the fingerprint, where ``names`` depend on where the data lie.
    """

    def __init__(
        self, names, labels, class_names, *, image_size=None, on_error="raise", identity: Sequence[str] | None = None
    ):
        if on_error not in ("raise", "skip"):
            raise ValueError(f'on_error is "{on_error}"; use "raise" or "skip"')
        if image_size is not None and image_size < 1:
            raise ValueError(f"image_size is {image_size}; use at least 1")
        self.names, self.on_error = list(names), on_error
        self.labels = None if labels is None else np.asarray(labels, np.int32)
        self.about = About(class_names=tuple(class_names or ()))
        digest = hashlib.blake2b("\n".join(identity or self.names).encode("utf-8", "surrogateescape"), digest_size=16)
        sizes = set()
        for index in np.linspace(0, len(self) - 1, min(_SAMPLE, len(self))).astype(int):
            try:
                encoded = self.read(int(index))
                digest.update(encoded)
                sizes.add(image_size or picture_size(encoded))
            except (ValueError, OSError):  # reading it says so
                digest.update(b"unreadable")
        self.canvas = (image_size, image_size) if image_size else sizes.pop() if len(sizes) == 1 else _CANVAS
        labels_told = None if self.labels is None else self.labels.tobytes()
        digest.update(repr((len(self), self.canvas, self.about, labels_told)).encode())
        self.fingerprint = digest.hexdigest()
        self.spec = {
            "image": jax.ShapeDtypeStruct((*self.canvas, 3), np.uint8),
            "size": jax.ShapeDtypeStruct((2,), np.int32),
        }
        if self.about.class_names:
            self.spec |= {"label": jax.ShapeDtypeStruct((), np.int32)}

    @abc.abstractmethod
    def read(self, index: int) -> bytes:
        """The encoded bytes of an example."""

    def record(self, index: int) -> tuple[bytes, int | None]:
        """The encoded bytes and the label of an example."""
        return self.read(index), None if self.labels is None else int(self.labels[index])

    def name(self, index: int) -> str:
        """What messages call an example."""
        return self.names[index]

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        index = range(len(self))[index]
        for offset in range(len(self)):
            at = (index + offset) % len(self)  # the neighbour: deterministic and mostly of the same class
            try:
                encoded, label = self.record(at)
                image, size = decode_image(encoded, self.canvas)
            except (ValueError, OSError) as error:
                if self.on_error == "raise":
                    raise ValueError(
                        f'cannot read {self.name(at)}: {error}; repair or remove it, or use on_error="skip"'
                    ) from error
                self.note_replaced(at)
                continue
            example = {"image": image, "size": np.array(size, np.int32)}
            return example if label is None else {**example, "label": np.int32(label)}
        raise ValueError(f"none of the {len(self)} images can be read; the first is {self.name(0)}")


def _value(text: str):
    """An option's text as int, float or str."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


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
    folder:<path>                         image folder, with or without train/, test/, val/
    idx:<folder>                          the four MNIST style files
    tfds:<name>[:split]                   TensorFlow Datasets prepared as array_record
    text:<paths or globs, comma>          UTF-8 files as rows of tokens: tokenizer, length, stride, holdout, cache
    captions:<table>                      images and their captions, named by a .csv or .jsonl file
    synthetic_text:key=value,...          sentences made by code: num_examples, length, seed
    ===================================== ==========================================================================

    Options follow a question mark: "folder:photos?image_size=96&on_error=skip".

    Args:
      spec: kind and place, as above.
      split: "train" or "test".
      **defaults: options for where spec does not set them and the kind has them; None is no option.

    Returns:
      The source.

    Raises:
      ValueError: one line that says what is wrong with the spec or the data, and what to do.

    >>> open_source("synthetic:num_examples=20", "train").about.num_classes
    10
    """
    kind, path, options = parse_spec(spec)
    module, name = _KINDS[kind]
    opener = getattr(importlib.import_module(module), name)
    known = opener.OPTIONS
    unknown = next((key for key in options if key not in known), None)
    if unknown is not None:
        raise ValueError(f'data "{spec}" has no option "{unknown}"{nearest(unknown, known)}')
    for key, value in options.items():
        if not isinstance(value, known[key]):
            raise ValueError(f'option {key}={value} of data "{spec}" is not {" or ".join(_names(known[key]))}')
    options = {k: v for k, v in defaults.items() if k in known and v is not None} | options
    return opener(split=split, **options) if kind in _MADE else opener(path, split=split, **options)


def _names(kinds):
    return [kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,))]
