"""What all image operations share: keys decide, probabilities hold, pixels stay float32 in [0, 1]."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from samples import SMALL, STRENGTH, keys

from jssl import views

RNG = np.random.default_rng(3)

RANDOM = {
    "crop": functools.partial(views.random_resized_crop, size=4),
    "crop_bicubic_flip": functools.partial(views.random_resized_crop, size=4, interpolation="bicubic", flip_prob=0.5),
    "flip": functools.partial(views.horizontal_flip, prob=0.3),
    "jitter": functools.partial(views.color_jitter, **STRENGTH, prob=0.8),
    "grayscale": functools.partial(views.grayscale, prob=0.2),
    "blur": functools.partial(views.gaussian_blur, kernel_size=3, sigma=(0.4, 2.0), prob=0.5),
    "solarize": functools.partial(views.solarize, prob=0.2),
}


@pytest.mark.parametrize(
    "name, prob", [("flip", 0.3), ("jitter", 0.8), ("grayscale", 0.2), ("blur", 0.5), ("solarize", 0.2)]
)
def test_probability(name, prob):
    out = np.asarray(jax.jit(jax.vmap(RANDOM[name], in_axes=(0, None)))(keys(4000, seed=3), jnp.asarray(SMALL)))
    # What is not touched comes back as it was: bit for bit, after the blur's matrices within rounding.
    changed = (np.abs(out - SMALL) > (1e-6 if name == "blur" else 0)).any(axis=(1, 2, 3))
    assert abs(changed.mean() - prob) < 4 * math.sqrt(prob * (1 - prob) / 4000)


@pytest.mark.slow
@pytest.mark.parametrize("name", RANDOM)
def test_key_decides_and_jit_agrees(name):
    apply, image = RANDOM[name], jnp.asarray(SMALL)
    batched = jax.jit(jax.vmap(apply, in_axes=(0, None)))
    many = batched(keys(40), image)
    np.testing.assert_array_equal(many, batched(keys(40), image))
    np.testing.assert_allclose(many[7], apply(keys(40)[7], image), atol=1e-6)
    assert len(np.unique(np.asarray(many), axis=0)) > 1
    assert many.dtype == jnp.float32 and float(many.min()) >= 0.0 and float(many.max()) <= 1.0


def test_to_float_and_normalize():
    pixels = RNG.integers(0, 256, (3, 2, 3), dtype=np.uint8)
    np.testing.assert_allclose(views.to_float(jnp.asarray(pixels)), pixels / 255.0, atol=1e-7)
    assert views.to_float(jnp.ones((1, 1, 3), jnp.bfloat16)).dtype == jnp.float32
    with pytest.raises(ValueError, match="int32"):
        views.to_float(jnp.zeros((1, 1, 3), jnp.int32))
    mean, std = (0.4, 0.5, 0.6), (0.1, 0.2, 0.3)
    expected = (SMALL - np.array(mean)) / np.array(std)
    np.testing.assert_allclose(views.normalize(jnp.asarray(SMALL), mean=mean, std=std), expected, atol=2e-6)
