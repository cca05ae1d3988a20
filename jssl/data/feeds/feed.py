"""What every feed asks of a batch and a source, and the feeds by name."""

import importlib

import jax
import numpy as np
from jax.sharding import Mesh

from jssl.data.source import Source
from jssl.hints import nearest
from jssl.sharding import sharers, shares

__all__ = ["check_batch", "check_fields", "make_feed"]

# name -> module and class; imported when asked for: each of them imports this module
_FEEDS = {"resident": ("jssl.data.feeds.resident", "ResidentFeed"), "grain": ("jssl.data.feeds.grain", "GrainFeed")}


def make_feed(name: str, source: Source, mesh: Mesh, *, seed: int, global_batch: int, **options):
    """The feed of a name: ``batch(step)`` and ``iterate(start_step)``.

    Args:
      name: "resident" (the whole set on every device) or "grain" (streamed from the host).
      source: the data set.
      mesh: mesh with the axes 'data' and 'fsdp'.
      seed: of the order, see `batch_indices`.
      global_batch: examples per step over all devices of all hosts.
      **options: of "grain": num_workers, num_threads, prefetch. None is the default.

    Raises:
      ValueError: if the feed or an option is unknown, or does not fit the source and the devices.

    >>> from jssl.data import open_source
    >>> mesh = jax.make_mesh((1, 1), ("data", "fsdp"))
    >>> feed = make_feed("resident", open_source("synthetic:num_examples=20"), mesh, seed=0, global_batch=4)
    >>> feed.batch(0)["label"].shape
    (4,)
    """
    if name not in _FEEDS:
        raise ValueError(f"no feed {name!r}{nearest(name, _FEEDS)}")
    module, kind = _FEEDS[name]
    feed = getattr(importlib.import_module(module), kind)
    for key, value in options.items():
        if key not in feed.OPTIONS:
            hint = nearest(key, feed.OPTIONS) if feed.OPTIONS else "; it has none"
            raise ValueError(f"the {name} feed has no option {key!r}{hint}")
        if value is not None and (not isinstance(value, feed.OPTIONS[key]) or isinstance(value, bool)):
            raise ValueError(f"option {key}={value} of the {name} feed is not {feed.OPTIONS[key].__name__}")
    given = {key: value for key, value in options.items() if value is not None}
    return feed(source, mesh, seed=seed, global_batch=global_batch, **given)


def check_batch(global_batch: int, mesh: Mesh, num_examples: int, hosts: int = 1) -> None:
    """Raises ValueError unless every device gets the same number of examples and a batch has no example twice."""
    parts = shares(mesh)
    if global_batch < 1 or global_batch % parts:
        near = max(parts, round(global_batch / parts) * parts)
        raise ValueError(
            f"global batch {global_batch} is not divisible by the {sharers(mesh)} that share it; use {near} or "
            f"another multiple of {parts}"
        )
    if global_batch % hosts:
        raise ValueError(f"global batch {global_batch} is not divisible by {hosts} hosts; use a multiple of {hosts}")
    if global_batch > num_examples:
        raise ValueError(
            f"global batch {global_batch} is larger than the data set of {num_examples} examples; use a smaller batch"
        )


def check_fields(source: Source) -> None:
    """Raises ValueError if a batch could not hold the fields of a source as they are."""
    for name, field in source.spec.items():
        if name == "index":
            raise ValueError("the source has a field index, which feeds add; it must call it something else")
        held = jax.dtypes.canonicalize_dtype(np.dtype(field.dtype))
        if held != field.dtype:
            raise ValueError(f"{name} of the source is {field.dtype}, devices hold {held}; the source must give that")
