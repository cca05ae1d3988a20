"""Feeds by name, and what every feed asks of a batch."""

import inspect

from jax.sharding import Mesh

from jssl.hints import nearest

__all__ = ["check_batch", "make_feed"]


def make_feed(name: str, source, mesh: Mesh, *, seed: int, global_batch: int, **options):
    """A feed: ``iterate(start_step)`` gives batches on the devices, each field of the source and ``index``.

    Args:
      name: "resident", the whole set on the device, or "grain", streamed from the host.
      source: the data set.
      mesh: the devices.
      seed: of the order.
      global_batch: examples per step over all devices of all hosts.
      **options: of the feed, see ``ResidentFeed`` and ``GrainFeed``.

    Raises:
      ValueError: no such feed or option; the nearest is named.
    """
    from jssl.data import grain_feed, resident

    feeds = {"resident": resident.ResidentFeed, "grain": grain_feed.GrainFeed}
    if name not in feeds:
        raise ValueError(f"no feed {name!r}: use {' or '.join(feeds)}")
    known = [
        p for p in inspect.signature(feeds[name]).parameters if p not in ("source", "mesh", "seed", "global_batch")
    ]
    for option in options:
        if option not in known:
            told = nearest(option, known) if known else "; it has none"
            raise ValueError(f"data.options: the {name} feed has no option {option!r}{told}")
    return feeds[name](source, mesh, seed=seed, global_batch=global_batch, **options)


def check_batch(global_batch: int, mesh: Mesh, num_examples: int, hosts: int = 1) -> None:
    """Raises ValueError unless every device gets the same number of examples and a batch has no example twice."""
    if global_batch < 1 or global_batch % mesh.size:
        near = max(mesh.size, round(global_batch / mesh.size) * mesh.size)
        raise ValueError(
            f"global batch {global_batch} is not divisible by the {mesh.size} devices that share it; use {near} or "
            f"another multiple of {mesh.size}"
        )
    if global_batch % hosts:
        raise ValueError(f"global batch {global_batch} is not divisible by {hosts} hosts; use a multiple of {hosts}")
    if global_batch > num_examples:
        raise ValueError(
            f"global batch {global_batch} is larger than the data set of {num_examples} examples; use a smaller batch"
        )
