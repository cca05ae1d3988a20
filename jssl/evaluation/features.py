"""Features of a whole data set: batches of one static shape through one compiled function."""

import functools
from collections.abc import Callable

import jax
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

__all__ = ["extract"]


def extract(
    encode_fn: Callable,
    *arguments,
    batch_size: int = 512,
    view: Callable | None = None,
    sharding: NamedSharding | None = None,
) -> np.ndarray:
    """``encode_fn(*arguments)`` where the last argument, the images, is too large for one call.

    The last batch is padded, so there is one compilation for any number of images; a later call with the same
    ``encode_fn``, ``view`` and shapes has none. Pass weights as arguments: closed over, they would be baked into the
    program and compiled again for every checkpoint.

    Args:
      encode_fn: (*variables, images) -> (B, D) features of each image; ``method.encode`` takes (params, extra, images).
      *arguments: the variables, then the images: (N, ...) or whatever gives an array for a slice, the same on every
        host.
      batch_size: images at a time, over all devices.
      view: (key, image) -> image, deterministic (``views.eval_view``); applied to each image on the device.
      sharding: how a batch is laid out, e.g. ``jssl.sharding.batch_sharding(mesh)``; None is one device.

    Returns:
      (N, D) float32.

    Raises:
      ValueError: no images, a batch that the devices do not divide, features that are not (B, D).

    >>> extract(lambda scale, x: scale * x.sum((1, 2)), 2.0, np.ones((3, 2, 2, 1)), batch_size=2)
    array([[8.],
           [8.],
           [8.]], dtype=float32)
    """
    *variables, images = arguments
    if not len(images):
        raise ValueError("there are no images to encode")
    if sharding is not None and batch_size % sharding.num_devices:
        raise ValueError(f"batch_size={batch_size} is not a multiple of the {sharding.num_devices} devices")
    pending, done = None, []
    for start in range(0, len(images), batch_size):
        batch = np.asarray(images[start : start + batch_size])
        padding = [(0, batch_size - len(batch))] + [(0, 0)] * (batch.ndim - 1)
        padded = _place(np.pad(batch, padding), sharding)
        features = _encode(encode_fn, view, sharding, tuple(variables), padded)
        if pending is not None:
            done.append(_fetch(*pending))  # while the device works on this batch
        pending = features, len(batch)
    assert pending is not None  # there are images
    return np.concatenate([*done, _fetch(*pending)])


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _encode(encode_fn, view, sharding, variables, images):
    if view is not None:
        images = jax.vmap(view, in_axes=(None, 0))(jax.random.key(0), images)
    features = encode_fn(*variables, images).astype(np.float32)
    if features.ndim != 2:
        raise ValueError(f"encode_fn must give (B, D) features, not {features.shape}")
    if sharding is not None:
        features = jax.lax.with_sharding_constraint(features, NamedSharding(sharding.mesh, P()))
    return features


def _place(batch, sharding):
    if sharding is None:
        return jax.numpy.asarray(batch)
    # From a callback, so that it also works when other processes own some of the devices.
    return jax.make_array_from_callback(batch.shape, sharding, lambda index: batch[index])


def _fetch(features, rows: int) -> np.ndarray:
    return np.asarray(features)[:rows]
