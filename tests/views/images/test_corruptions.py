"""Corruptions: how much is corrupted, how, and that the mask tells where."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import views

IMAGE = np.random.default_rng(0).integers(1, 255, (8, 12, 3), dtype=np.uint8)  # neither black nor white
CORRUPTIONS = {
    "mask_patches": functools.partial(views.mask_patches, patch=4, ratio=0.7),
    "salt_and_pepper": functools.partial(views.salt_and_pepper, ratio=0.3),
    "gaussian_noise": functools.partial(views.gaussian_noise, sigma=0.25),
}


@functools.cache
def draw(name):
    batch = jax.jit(jax.vmap(CORRUPTIONS[name], in_axes=(0, None)))
    keys = jax.random.split(jax.random.key(0), 500)
    image, mask = batch(keys, IMAGE)
    np.testing.assert_array_equal(batch(keys, IMAGE)[0], image)
    assert image.shape == (500, 8, 12, 3) and mask.shape == (500, 8, 12)
    assert image.dtype == mask.dtype == jnp.float32
    return np.asarray(image), np.asarray(mask)


@pytest.mark.parametrize("name", ["mask_patches", "salt_and_pepper"])
def test_mask_is_what_changed(name):
    image, mask = draw(name)
    clean = np.broadcast_to(IMAGE / 255.0, image.shape)
    np.testing.assert_allclose(image[mask == 0], clean[mask == 0], atol=1e-7)
    assert (np.abs(image - clean)[mask == 1] > 1e-3).all()


def test_patches():
    image, mask = draw("mask_patches")
    assert (image[mask == 1] == 0).all()
    blocks = mask.reshape(500, 2, 4, 3, 4)
    patches = blocks[:, :, 0, :, 0]
    np.testing.assert_array_equal(blocks, np.broadcast_to(patches[:, :, None, :, None], blocks.shape))
    # Of six patches 1.8 may stay: one does, each as often as the others.
    assert (patches.sum(axis=(1, 2)) == 5).all()
    np.testing.assert_allclose(patches.mean(axis=0), 5 / 6, atol=4 * math.sqrt(5 / 36 / 500))


def test_salt_and_pepper():
    image, mask = draw("salt_and_pepper")
    count = mask.size
    assert abs(mask.mean() - 0.3) < 4 * math.sqrt(0.3 * 0.7 / count)
    values = image[mask == 1]
    assert set(np.unique(values)) == {0.0, 1.0} and (values == values[:, :1]).all()
    assert abs(values.mean() - 0.5) < 4 * 0.5 / math.sqrt(0.3 * count)


def test_gaussian_noise():
    image, mask = draw("gaussian_noise")
    noise = image - IMAGE / 255.0
    assert (mask == 1).all()
    assert abs(noise.mean()) < 4 * 0.25 / math.sqrt(noise.size) and abs(noise.std() - 0.25) < 2e-3
    assert image.min() < 0 and image.max() > 1  # not clipped: the noise would not be Gaussian


def test_bad_options_are_one_line():
    with pytest.raises(ValueError, match="a 8 x 12 image cannot be cut into patches of 3"):
        views.mask_patches(jax.random.key(0), IMAGE, patch=3, ratio=0.5)
    with pytest.raises(ValueError, match="keep=0 of 6 patches"):
        views.mask_patches(jax.random.key(0), IMAGE, patch=4, ratio=1.0)
