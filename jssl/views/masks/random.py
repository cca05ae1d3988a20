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


def tube_mask(key: Array, grid: tuple[int, int, int], keep: int) -> tuple[Array, Array, Array, Array]:
    """Removes the same uniformly random patches from every frame of a clip (VideoMAE, https://arxiv.org/abs/2203.12602).

    What hardly moves could be copied from a neighbouring frame; a tube hides it in all of them.

    Args:
        key: PRNG key.
        grid: tubelets along time, rows and columns: (T, H, W).
        keep: how many stay of each frame; the authors take ``H * W - int(H * W * mask_ratio)``.

    Returns:
        As ``random_mask``, of T * H * W tubelets, the frames one after another: keep_indices (T * keep,), mask_indices, restore
        and mask.

    Raises:
        ValueError: if ``keep`` is not in [1, H * W].

    >>> kept, removed, restore, mask = tube_mask(jax.random.key(0), (3, 4, 4), 2)
    >>> kept.shape, removed.shape, mask.reshape(3, 16).sum(1).tolist()
    ((6,), (42,), [14.0, 14.0, 14.0])
    """
    frames, height, width = grid
    places = height * width
    kept, removed, restore, mask = random_mask(key, places, keep)

    def everywhere(indices: Array) -> Array:
        starts = places * jnp.arange(frames, dtype=jnp.int32)
        return (starts[:, None] + indices[None, :]).reshape(-1)

    # Of [kept of all frames, removed of all frames], frame by frame: where each place of a frame has gone.
    frame = jnp.arange(frames, dtype=jnp.int32)[:, None]
    seen = restore[None, :] < keep
    of_kept = frame * keep + restore[None, :]
    of_removed = frames * keep + frame * (places - keep) + restore[None, :] - keep
    restore = jnp.where(seen, of_kept, of_removed).reshape(-1)
    return everywhere(kept), everywhere(removed), restore, jnp.tile(mask, frames)
