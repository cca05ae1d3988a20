"""Uniformly random masks over patches, with static shapes."""

import jax
import jax.numpy as jnp
from jax import Array


def mask_from_noise(noise: Array, keep: int) -> tuple[Array, Array, Array, Array]:
    """Keeps the ``keep`` patches with the smallest noise; see ``random_mask`` for what is returned.

    >>> mask_from_noise(jnp.array([0.3, 0.1, 0.2]), 1)[3]
    Array([1., 0., 1.], dtype=float32)
    """
    (num_patches,) = noise.shape
    if not 0 < keep <= num_patches:
        raise ValueError(f"keep={keep} of {num_patches} patches; keep at least one and at most all")
    order = jnp.argsort(noise).astype(jnp.int32)
    restore = jnp.argsort(order).astype(jnp.int32)  # the inverse permutation
    return order[:keep], order[keep:], restore, (restore >= keep).astype(jnp.float32)


def random_mask(key: Array, num_patches: int, keep: int) -> tuple[Array, Array, Array, Array]:
    """Removes a uniformly random set of patches (MAE, He et al. 2021, https://arxiv.org/abs/2111.06377).

    Args:
        key: PRNG key.
        num_patches: N.
        keep: how many stay; the authors take ``int(N * (1 - mask_ratio))``.

    Returns:
        keep_indices: (keep,) int32, in random order.
        mask_indices: (N - keep,) int32, in random order.
        restore: (N,) int32; ``concatenate([kept, removed])[restore]`` is in patch order again.
        mask: (N,) float32 in patch order, 1 where removed.

    Raises:
        ValueError: if ``keep`` is not in [1, N].

    >>> kept, removed, restore, mask = random_mask(jax.random.key(0), 16, 4)
    >>> kept.shape, removed.shape, float(mask.sum())
    ((4,), (12,), 12.0)
    """
    return mask_from_noise(jax.random.bits(key, (num_patches,)), keep)
