"""What a data set looks like to the rest of the library."""

import abc
import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence

import jax
import numpy as np

from jssl.data.parallel import parallel_map

__all__ = ["About", "NoSplit", "Source", "Spec", "stack"]

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
      tokenizer: what turned text into tokens, as `jssl.data.text.tokenizers.make` takes it.
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
    the height and width that the picture had before it was brought to (H, W), ``video`` (T, H, W, 3) uint8, ``actions``
    (T - 1, A) float32, what was done between each frame and the next, ``audio`` (T,) int16 or float32, one channel, and
    ``length`` () int32, its true number of samples, zeros behind it, ``speaker`` () int32, ``tokens`` (L,) int32, ``segments``
    (L,) int32 (0 is padding; 1, 2, ... the documents packed into the row), ``captions`` (C, L) int32, ``label`` () int32. Where
    there are both ``video`` and ``audio``, they span the same time. A field that a data set does not have is absent. ``index``
    is added by the feeds.

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
      threads: see `jssl.data.parallel.parallel_map`.

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
