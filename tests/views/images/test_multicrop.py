"""Global and local crops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import views

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


def crops(key, image):
    return views.multi_crop(
        key,
        image,
        global_augmentations=(views.mae(16), views.mae(16)),
        local_augmentation=views.mae(8, crop_scale=(0.05, 0.4)),
        num_local=4,
    )


def test_shapes_and_independence_of_the_crops():
    out = jax.jit(jax.vmap(crops))(jax.random.split(jax.random.key(0), 3), jnp.asarray(IMAGES))
    assert {name: value.shape for name, value in out.items()} == {"global": (3, 2, 16, 16, 3), "local": (3, 4, 8, 8, 3)}
    assert all(value.dtype == jnp.float32 for value in out.values())
    for value in out.values():  # no two crops of an image are the same
        flat = np.asarray(value).reshape(3, value.shape[1], -1)
        distance = np.abs(flat[:, :, None] - flat[:, None]).max(axis=-1) + np.eye(value.shape[1])
        assert distance.min() > 1e-2


def test_each_global_crop_has_its_own_augmentation():
    first, second = (views.eval_view(8, mean=(m,) * 3, std=(1.0,) * 3) for m in (0.0, 1.0))
    out = views.multi_crop(jax.random.key(0), jnp.asarray(IMAGES[0]), global_augmentations=(first, second))
    assert set(out) == {"global"}
    np.testing.assert_allclose(out["global"][0] - 1.0, out["global"][1], atol=1e-6)


def test_local_crops_need_an_augmentation():
    with pytest.raises(ValueError, match="num_local=2"):
        views.multi_crop(jax.random.key(0), jnp.zeros((8, 8, 3)), global_augmentations=(), num_local=2)
