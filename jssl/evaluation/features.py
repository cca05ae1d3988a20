"""Features of a data set of any size: batches of one static shape, read ahead, through one compiled function."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from jssl.data.source import Source, stack
from jssl.evaluation.reading import ahead, collect

__all__ = ["extract", "stream"]


def extract(
    readout,
    variables: tuple[Any, Any],
    source: Source,
    *,
    indices: Iterable[int] | None = None,
    batch_size: int = 256,
    sharding: NamedSharding | None = None,
) -> np.ndarray:
    """Features of every example of a source, in order.

    The host holds a few batches and the result, whatever the size of the source; ``stream`` does without the result.

    Args:
      readout: how an example becomes features. ``prepare``: one example, a dict with every field of ``source.spec`` ->
        the input of the network; vmapped and compiled on the device. ``apply``: (params, extra, inputs) -> an object
        whose ``pooled`` is (B, D), see ``jssl.models.features.Features``.
      variables: (params, extra).
      source: the data set.
      indices: which examples, in this order; all of them by default.
      batch_size: examples at a time, over all devices.
      sharding: how a batch is laid out, e.g. ``jssl.sharding.batch_sharding(mesh)``; None is one device. Every process
        reads the rows of its own devices and gets the features of all.

    Returns:
      (N, D) float32.

    Raises:
      ValueError: no examples, a batch that the devices do not divide, features that are not (B, D).

    >>> from types import SimpleNamespace as Namespace
    >>> from jssl.evaluation.texts import Texts
    >>> first = lambda params, extra, x: Namespace(pooled=params * x[:, :1])
    >>> readout = Namespace(prepare=lambda example: example["captions"][0], apply=first)
    >>> extract(readout, (jnp.int32(10), {}), Texts(np.array([[1, 2], [3, 4], [5, 6]], np.int32)), batch_size=2)
    array([[10.],
           [30.],
           [50.]], dtype=float32)
    """
    chosen = np.arange(len(source)) if indices is None else np.asarray(list(indices), int)
    parts = stream(readout, variables, source, indices=chosen, batch_size=batch_size, sharding=sharding)
    return collect(parts, len(chosen))["features"]


def stream(
    readout,
    variables: tuple[Any, Any],
    source: Source,
    *,
    indices: Iterable[int] | None = None,
    batch_size: int = 256,
    sharding: NamedSharding | None = None,
    fields: Sequence[str] = (),
    tokens: bool = False,
    share: bool = False,
) -> Iterator[dict[str, np.ndarray]]:
    """``extract`` batch by batch, for those who write features to a file, with fields of the examples beside them.

    The last batch is padded on its way to the device, so there is one compilation for any number of examples, and none
    for a later call with the same readout, shapes and sharding, whatever the weights.

    Args:
      readout, variables, source, indices, batch_size, sharding: see ``extract``.
      fields: names of fields to hand back from the same pass over the data; labels, say.
      tokens: the features are (rows, N, D), those of every patch or word, and not the pooled ones.
      share: each process gets the rows of its own devices alone, so that none holds them all.

    Yields:
      dict: ``features`` (rows, D) float32 and the fields (rows, ...), rows at most ``batch_size``. A share has ``index``
      (rows,), too: the places of its rows among ``indices``, ascending.

    Raises:
      ValueError: see ``extract``; a field that the source lacks; a readout without tokens.

    >>> from types import SimpleNamespace as Namespace
    >>> from jssl.evaluation.texts import Texts
    >>> plain = Namespace(prepare=lambda example: example["captions"][0], apply=lambda p, e, x: Namespace(pooled=x))
    >>> parts = stream(plain, ({}, {}), Texts(np.ones((5, 3), np.int32)), batch_size=2, fields=["captions"])
    >>> [(part["features"].shape, part["captions"].shape) for part in parts]
    [((2, 3), (2, 1, 3)), ((2, 3), (2, 1, 3)), ((1, 3), (1, 1, 3))]
    """
    chosen = np.arange(len(source)) if indices is None else np.asarray(list(indices), int)
    if not len(chosen):
        raise ValueError("there are no examples to encode")
    if lacks := sorted(set(fields) - set(source.spec)):
        raise ValueError(f"the source has no {lacks[0]}; it has {', '.join(source.spec)}")
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size} holds no example; use at least 1")
    if sharding is not None and batch_size % sharding.num_devices:
        raise ValueError(f"batch_size={batch_size} is not a multiple of the {sharding.num_devices} devices")
    return _stream(readout, variables, source, chosen, batch_size, sharding, tuple(fields), tokens, share)


def _stream(readout, variables, source, indices, batch_size, sharding, fields, tokens, share):
    rows = _rows_here(batch_size, sharding)

    def read(start):
        chosen = indices[start : start + batch_size]
        here = chosen[rows[rows < len(chosen)]]
        # Padding repeats an example: zeros may be no valid one.
        arrays = stack(source, here if len(here) else chosen[:1])
        missing = len(rows) - max(1, len(here))
        if missing:
            arrays = {k: np.pad(v, [(0, missing)] + [(0, 0)] * (v.ndim - 1), "edge") for k, v in arrays.items()}
        return start, len(chosen), arrays

    def fetch(encoded, start, count):
        if not share:
            return {name: np.asarray(array)[:count] for name, array in encoded.items()}
        here = rows[rows < count]
        own = {name: _own(array)[: len(here)] for name, array in encoded.items()}
        return own | {"index": start + here}

    pending = None
    for start, count, arrays in ahead(read, range(0, len(indices), batch_size)):
        batch = {name: _place(array, rows, batch_size, sharding) for name, array in arrays.items()}
        encoded = _encode(readout.prepare, readout.apply, sharding, fields, tokens, share, tuple(variables), batch)
        if pending is not None:
            yield fetch(*pending)  # while the device works on this batch
        pending = encoded, start, count
    yield fetch(*pending)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3, 4, 5))
def _encode(prepare, apply, sharding, fields, tokens, share, variables, batch):
    features = apply(*variables, jax.vmap(prepare)(batch))
    if tokens and features.tokens is None:
        raise ValueError("this readout has no tokens; leave them out")
    found, wanted = (features.tokens, "(B, N, D) tokens") if tokens else (features.pooled, "(B, D) features")
    if found is None or found.ndim != (3 if tokens else 2):
        raise ValueError(f"a readout must give {wanted}, not {None if found is None else found.shape}")
    result = {"features": found.astype(jnp.float32), **{name: batch[name] for name in fields}}
    if sharding is not None:  # every process gets all rows, or keeps its own
        layout = sharding if share else NamedSharding(sharding.mesh, P())
        result = jax.lax.with_sharding_constraint(result, layout)
    return result


def _rows_here(batch_size, sharding) -> np.ndarray:
    """The rows of a batch that the devices of this process hold, ascending."""
    rows = np.arange(batch_size)
    if sharding is None:
        return rows
    parts = sharding.addressable_devices_indices_map((batch_size,)).values()
    return np.unique(np.concatenate([rows[part] for part in parts]))


def _place(array, rows, batch_size, sharding):
    """``array`` holds ``rows`` of the batch."""
    if sharding is None:
        return jnp.asarray(array)

    def part(index):
        wanted = range(batch_size)[index[0]]
        start = int(np.searchsorted(rows, wanted.start))
        return array[start : start + len(wanted)]

    # From a callback, so that it also works when other processes own some of the devices.
    return jax.make_array_from_callback((batch_size, *array.shape[1:]), sharding, part)


def _own(array: jax.Array) -> np.ndarray:
    """The rows of an array that the devices of this process hold, ascending."""
    shards = sorted(array.addressable_shards, key=lambda shard: shard.index[0].start or 0)
    return np.concatenate([np.asarray(shard.data) for shard in shards])
