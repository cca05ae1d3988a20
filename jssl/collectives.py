"""Collectives that know what an axis name is; everything above passes ``axis_name`` on and never looks at it.

``axis_name`` is the name, or the tuple of names, of the mapped axes that the batch is split over (``jax.shard_map``,
``jax.pmap`` or ``jax.vmap``). ``None`` means that the array at hand is already the whole batch: size 1, index 0, and
every function returns its argument.

>>> import jax
>>> double = jax.vmap(lambda x: sum(x, "devices"), axis_name="devices")
>>> double(jax.numpy.arange(3.0)).tolist()
[3.0, 3.0, 3.0]
>>> size(None), index(None), mean(5.0, None)
(1, 0, 5.0)
"""

from typing import Any

import jax
from jax import lax

__all__ = ["AxisName", "gather", "index", "max", "mean", "min", "replicate", "shift", "size", "sum", "vary_like"]

AxisName = str | tuple[str, ...] | None


def size(axis_name: AxisName) -> int:
    """Number of devices along the axis, a Python int."""
    return 1 if axis_name is None else lax.axis_size(axis_name)


def index(axis_name: AxisName) -> jax.Array | int:
    """Position of this device along the axis (row-major over a tuple of names)."""
    return 0 if axis_name is None else lax.axis_index(axis_name)


def mean(x: Any, axis_name: AxisName) -> Any:
    """Mean over devices; the result is the same on all of them."""
    return x if axis_name is None else lax.pmean(x, axis_name)


def sum(x: Any, axis_name: AxisName) -> Any:
    """Sum over devices; the result is the same on all of them."""
    return x if axis_name is None else lax.psum(x, axis_name)


def max(x: Any, axis_name: AxisName) -> Any:
    """Maximum over devices. No gradient flows through it, with or without an axis: JAX defines none for ``pmax``."""
    x = lax.stop_gradient(x)
    return x if axis_name is None else lax.pmax(x, axis_name)


def min(x: Any, axis_name: AxisName) -> Any:
    """Minimum over devices. No gradient flows through it, with or without an axis."""
    x = lax.stop_gradient(x)
    return x if axis_name is None else lax.pmin(x, axis_name)


def gather(x: jax.Array, axis_name: AxisName) -> jax.Array:
    """Concatenates the devices' arrays along axis 0, device-major: (b, ...) -> (size * b, ...).

    To shard_map the result still varies between devices, so its gradient is summed over them and scattered back.
    """
    return x if axis_name is None else lax.all_gather(x, axis_name, axis=0, tiled=True)


def replicate(x: jax.Array, axis_name: AxisName) -> jax.Array:
    """`gather` whose result shard_map knows to be equal everywhere: for state such as queues, never for a loss.

    No gradient flows through it, with or without an axis.
    """
    x = lax.stop_gradient(x)
    return x if axis_name is None else lax.all_gather(x, axis_name, axis=0, tiled=True, to="invarying")


def shift(x: Any, axis_name: AxisName) -> Any:
    """Every device's arrays go to the next one along the axis, the last one's to the first."""
    devices = size(axis_name)
    return x if axis_name is None else lax.ppermute(x, axis_name, [(i, (i + 1) % devices) for i in range(devices)])


def vary_like(x: jax.Array, like: jax.Array) -> jax.Array:
    """x itself; to shard_map it varies over the axes that `like` varies over, as if every device had its own copy.

    Its gradient is then summed over devices once, here. Without it each use of x sums its own, be it inside of a loop,
    and a custom derivative that forgets to is refused. Where JAX does not keep track of what varies (no axis,
    ``jax.pmap``, ``check_vma=False``) it does nothing.
    """
    missing = jax.typeof(like).manual_axis_type.varying - jax.typeof(x).manual_axis_type.varying
    return lax.pcast(x, tuple(sorted(missing)), to="varying") if missing else x  # every process compiles the same
