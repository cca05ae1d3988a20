"""A data set that is already arrays."""

import dataclasses
import hashlib
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from jssl.data.source import About, Source

__all__ = ["ArraySource"]

_INTEGERS = ("label", "size", "tokens", "segments", "captions", "length", "speaker")  # int32 wherever they occur


class ArraySource(Source):
    """Examples that are the rows of arrays in memory.

    Args:
      fields: name -> (N, ...), one length for all. ``image`` is (N, H, W, 3) uint8 and ``video`` (N, T, H, W, 3) uint8;
        ``label`` (N,), ``tokens``, ``segments``, ``captions`` and ``size`` are integers and become int32. Others have
        any shape and type of number; of 64 bits 32 are kept, as on a device. What has no label has no such field.
      about: what is known of them. Where labels come without class names, these are their numbers.

    Raises:
      ValueError: if there is no example, or a field has another length, type or shape than it should.

    >>> source = ArraySource({"tokens": np.arange(40).reshape(5, 8), "label": [0, 1, 0, 1, 1]})
    >>> source.spec["tokens"].shape, source[4]["tokens"][:3], source.about.class_names
    ((8,), array([32, 33, 34], dtype=int32), ('0', '1'))
    """

    def __init__(self, fields: Mapping[str, ArrayLike], about: About = Source.about):
        if not fields:
            raise ValueError("there are no fields; give at least one, such as image")
        self._fields = {name: _checked(name, np.asarray(array)) for name, array in fields.items()}
        lengths = {name: len(array) for name, array in self._fields.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise ValueError(f"the fields differ in length: {told} examples")
        self._length = next(iter(lengths.values()))
        if not self._length:
            raise ValueError(f"{', '.join(lengths)} have no examples; give at least one")
        if "label" in self._fields:
            about = _named(self._fields["label"], about)
        self.about = about
        self.spec = {name: jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for name, x in self._fields.items()}
        digest = hashlib.blake2b(repr(about.class_names).encode(), digest_size=16)
        for name, array in sorted(self._fields.items()):
            digest.update(repr((name, array.shape, str(array.dtype))).encode())
            digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
        self.fingerprint = digest.hexdigest()

    def __len__(self):
        return self._length

    def __getitem__(self, index):
        index = range(len(self))[index]
        return {name: np.asarray(array[index]) for name, array in self._fields.items()}


def _checked(name: str, array: np.ndarray) -> np.ndarray:
    """A field with the dtype that it has on a device."""
    told = f"{name} is {array.dtype} {array.shape}"
    if name == "index":
        raise ValueError("index is the number of an example, which the feeds add; call the field something else")
    if not (array.dtype == bool or jnp.issubdtype(array.dtype, np.number)):
        raise ValueError(f"{told}; expected numbers: encode it first")
    if not array.ndim:
        raise ValueError(f"{told}; expected one row per example")
    if name in ("image", "video"):
        axes = ("N", "H", "W", "3") if name == "image" else ("N", "T", "H", "W", "3")
        if array.dtype != np.uint8 or array.ndim != len(axes) or array.shape[-1] != 3:
            grey = "; repeat a single channel three times" if array.dtype == np.uint8 else ""
            raise ValueError(f"{told}; expected uint8 ({', '.join(axes)}){grey}")
    integers = jnp.issubdtype(array.dtype, np.integer)
    if name in _INTEGERS and not integers:
        raise ValueError(f"{told}; expected integers")
    if name == "label" and array.ndim != 1:
        raise ValueError(f"{told}; expected (N,), one number per example")
    if integers and (name in _INTEGERS or array.dtype.itemsize == 8):
        if array.size and (array.min() < -(2**31) or array.max() >= 2**31):
            raise ValueError(f"{told} and holds numbers that do not fit in int32")
        return array.astype(np.int32, copy=False)
    halves = {np.dtype(np.float64): np.float32, np.dtype(np.complex128): np.complex64}
    return array.astype(halves.get(array.dtype, array.dtype), copy=False)


def _named(labels: np.ndarray, about: About) -> About:
    """``about`` with a name for every label."""
    if labels.min() < 0:
        raise ValueError(f"label {labels.min()} is negative; leave the examples that have none out, or the whole field")
    if not about.class_names:
        return dataclasses.replace(about, class_names=tuple(str(i) for i in range(int(labels.max()) + 1)))
    if labels.max() >= about.num_classes:
        raise ValueError(f"label {labels.max()} has no name; there are names for 0 to {about.num_classes - 1}")
    return about
