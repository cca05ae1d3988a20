"""How one leaf of the state lies in a checkpoint: a typed PRNG key as its integers, anything else as it is."""

import jax
import jax.numpy as jnp

from jssl.train.checkpoints.record import one_line


def _is_key(leaf) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def key_data(leaf: jax.Array) -> jax.Array:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def abstract_data(leaf) -> jax.ShapeDtypeStruct:
    data = jax.eval_shape(jax.random.key_data, jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)) if _is_key(leaf) else leaf
    return jax.ShapeDtypeStruct(data.shape, data.dtype, sharding=_sharding(leaf))


def wrap_key_data(array: jax.Array, leaf) -> jax.Array:
    if not _is_key(leaf):
        return array
    impl = []  # key_impl takes arrays and tracers only
    jax.eval_shape(lambda keys: impl.append(jax.random.key_impl(keys)), jax.ShapeDtypeStruct(leaf.shape, leaf.dtype))
    return jax.device_put(jax.random.wrap_key_data(array, impl=impl[0]), _sharding(leaf))


def _sharding(leaf):
    return getattr(leaf, "sharding", None) or jax.sharding.SingleDeviceSharding(jax.local_devices()[0])


def check_layout(name: str, leaf) -> None:
    """A layout that does not fit must not look like a broken checkpoint later."""
    if not hasattr(leaf, "shape") or not hasattr(leaf, "dtype"):
        raise ValueError(f"checkpoint: {name} of the abstract state must be a jax.ShapeDtypeStruct, not {leaf!r}")
    try:
        _sharding(leaf).shard_shape(tuple(leaf.shape))
    except ValueError as error:
        raise ValueError(f"checkpoint: {name} {tuple(leaf.shape)} cannot be laid out: {one_line(error)}") from error
