"""Several crops of one image, large and small."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import Array


def multi_crop(
    key: Array,
    image: Array,
    *,
    global_augmentations: Sequence[Callable[[Array, Array, Array | None], Array]],
    local_augmentation: Callable[[Array, Array, Array | None], Array] | None = None,
    num_local: int = 0,
    size: Array | None = None,
) -> dict[str, Array]:
    """Global crops, one per augmentation, and ``num_local`` local crops of the same image.

    Args:
        key: PRNG key; every crop draws from its own part of it.
        image: (H, W, C) uint8 or float in [0, 1].
        global_augmentations: one ``(key, image, size) -> (S, S, C)`` per global crop, all of one size.
        local_augmentation: ``(key, image, size) -> (s, s, C)``, shared by the local crops.
        num_local: L, how many local crops.
        size: (2,) height and width that the picture had before it was brought to (H, W), may be traced, or None;
            passed on to the augmentations.

    Returns:
        "global": (G, S, S, C) float32; "local": (L, s, s, C) float32, absent when L is 0.

    Raises:
        ValueError: if ``num_local`` and ``local_augmentation`` disagree.

    Reference: SwAV, Caron et al. 2020, https://arxiv.org/abs/2006.09882; DINO, https://arxiv.org/abs/2104.14294.

    >>> from jssl.views import eval_view
    >>> crops = multi_crop(jax.random.key(0), jnp.ones((8, 8, 3)), global_augmentations=[eval_view(8)] * 2,
    ...                    local_augmentation=eval_view(4), num_local=3)
    >>> crops["global"].shape, crops["local"].shape
    ((2, 8, 8, 3), (3, 4, 4, 3))
    """
    if num_local and local_augmentation is None:
        raise ValueError(f"num_local={num_local} without local_augmentation; pass one, or num_local=0")
    global_key, local_key = jax.random.split(key)
    keys = jax.random.split(global_key, len(global_augmentations))
    crops = {"global": jnp.stack([augment(keys[i], image, size) for i, augment in enumerate(global_augmentations)])}
    if num_local and local_augmentation is not None:
        # One trace for all local crops: compile time does not grow with their number.
        local = jax.vmap(local_augmentation, in_axes=(0, None, None))
        crops["local"] = local(jax.random.split(local_key, num_local), image, size)
    return crops
