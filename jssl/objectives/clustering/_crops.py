"""Cross-entropy between different crops of an image, shared by DINO and SwAV."""

from collections.abc import Iterable

import jax
import jax.numpy as jnp

from jssl.objectives import _checks


def check(function: str, **crops: jax.Array) -> None:
    """Raises ValueError unless (S, B, K) and (T, B, K) hold T <= S crops of one batch, and S is at least 2."""
    _checks.rank(function, 3, "(crops, batch, prototypes)", **crops)
    (first, predicted), (second, target) = crops.items()
    if predicted.shape[1:] != target.shape[1:] or len(target) > len(predicted):
        raise ValueError(
            f"{function}: {first} (S, B, K) has shape {predicted.shape} but {second} (T, B, K) has shape "
            f"{target.shape}; B and K must agree and T must not exceed S"
        )
    if len(predicted) == 1:
        raise ValueError(
            f"{function}: one crop has no other crop to predict, {first} has shape {predicted.shape} "
            f"and {second} has shape {target.shape}"
        )


def cross_entropy(log_p: jax.Array, targets: Iterable[jax.Array]) -> jax.Array:
    """Mean over this device's examples, and over all targets t and crops s != t, of the cross-entropy.

    `log_p` is (S, B, K). `targets` yields (B, K) arrays one by one: when they are made on the way, only one is alive at
    a time, and no (T, S, B, K) array ever is.
    """
    crops = len(log_p)
    total, pairs = jnp.float32(0.0), 0
    for t, target in enumerate(targets):
        # A mask and not slices: the gradient of slices is one padded (S, B, K) array per pair.
        others = jnp.sum(jnp.where(jnp.arange(crops)[:, None, None] != t, log_p, 0.0), axis=0)
        total = total - jnp.mean(jnp.sum(target * others, axis=-1))
        pairs += crops - 1
    return total / pairs
