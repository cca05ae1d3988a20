"""What a data set looks like to the rest of the library, and the ways to open one."""

import abc
import dataclasses
import functools
import hashlib
import importlib
from collections.abc import Iterable, Mapping

import jax
import numpy as np
from PIL import Image

from jssl.data.decode import decode_image, parallel_map, resize_image
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


class ArraySource(Source):
    """Images that are already arrays.

    Args:
      images: (N, H, W, 3), (N, H, W, 1) or (N, H, W) uint8; grey becomes three equal channels.
      labels: (N,) integers, or None.
      class_names: names of the labels; by default their numbers.
      image_size: side of the square to resize to.

    Raises:
      ValueError: if the shapes or dtypes do not fit.

    >>> source = ArraySource(np.zeros((5, 8, 8), np.uint8))
    >>> source[4]["image"].shape, source[4]["label"], source.num_classes
    ((8, 8, 3), -1, None)
    """

    def __init__(self, images, labels=None, *, class_names=None, image_size=None):
        images = np.asarray(images)
        shaped = images.ndim == 3 or (images.ndim == 4 and images.shape[3] in (1, 3))
        if images.dtype != np.uint8 or not shaped:
            raise ValueError(
                f"images are {images.dtype} {images.shape}; expected uint8 (N, H, W, 3), (N, H, W, 1) or (N, H, W)"
            )
        if not len(images):
            raise ValueError("images are empty; give at least one")
        if labels is not None and np.shape(labels) != (len(images),):
            raise ValueError(f"labels have shape {np.shape(labels)}, images {images.shape}; expected ({len(images)},)")
        images = images[..., None] if images.ndim == 3 else images
        if image_size is not None and images.shape[1:3] != (image_size, image_size):
            images = np.stack(
                parallel_map(lambda x: np.array(resize_image(Image.fromarray(x), image_size)), _thin(images))
            ).reshape(len(images), image_size, image_size, -1)
        self._images = images
        self._labels = np.full(len(images), -1, np.int32) if labels is None else np.asarray(labels, np.int32)
        if class_names is None and labels is not None:
            class_names = [str(i) for i in range(int(self._labels.max()) + 1)]
        self.class_names = tuple(class_names) if class_names else None
        digest = hashlib.blake2b(repr((images.shape, self.class_names)).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(images))
        digest.update(self._labels.tobytes())
        self.fingerprint = digest.hexdigest()

    def __len__(self):
        return len(self._images)

    def __getitem__(self, index):
        image = self._images[index]
        return {"image": np.repeat(image, 3, -1) if image.shape[-1] == 1 else image, "label": int(self._labels[index])}

    def arrays(self):
        """The images (three channels) and labels, without a copy where none is needed."""
        images = np.repeat(self._images, 3, -1) if self._images.shape[-1] == 1 else self._images
        return images, self._labels


def _thin(images):
    """PIL takes grey images without a channel axis."""
    return images[..., 0] if images.shape[-1] == 1 else images


class EncodedSource(Source):
    """Image files in some container; subclasses say where the bytes are.

    Args:
      names: name of each example, for messages.
      labels: (N,) integers, -1 where there is none.
      class_names: names of the labels, or None.
      image_size: side of the square to resize to (shorter side, then central crop); None keeps each file's size.
      on_error: "raise", or "skip": an unreadable image is replaced by the next readable one and counted in `skipped`.
    """

    def __init__(self, names, labels, class_names, *, image_size=None, on_error="raise"):
        if on_error not in ("raise", "skip"):
            raise ValueError(f'on_error is "{on_error}"; use "raise" or "skip"')
        if image_size is not None and image_size < 1:
            raise ValueError(f"image_size is {image_size}; use at least 1")
        self.names, self.labels = list(names), np.asarray(labels, np.int32)
        self.class_names, self.image_size, self.on_error = class_names, image_size, on_error

    @abc.abstractmethod
    def read(self, index: int) -> bytes:
        """The encoded bytes of an example."""

    def record(self, index: int) -> tuple[bytes, int]:
        """The encoded bytes and the label of an example."""
        return self.read(index), int(self.labels[index])

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
                image = decode_image(encoded, self.image_size)
            except (ValueError, OSError) as error:
                if self.on_error == "raise":
                    raise ValueError(
                        f'cannot read {self.name(at)}: {error}; repair or remove it, or use on_error="skip"'
                    ) from error
                self.note_replaced(at)
                continue
            return {"image": image, "label": label}
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

    >>> open_source("synthetic:num_examples=20", "train").num_classes
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
