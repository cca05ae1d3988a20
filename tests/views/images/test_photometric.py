"""Colour operations and blur against float64 formulas written here, and the distributions they promise."""

import colorsys
import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from samples import SMALL, STRENGTH, keys
from scipy import stats

from jssl import views

RNG = np.random.default_rng(2)


def grey64(image):
    return image @ np.array([0.2989, 0.587, 0.114])


def hue64(image, shift):
    flat = [colorsys.rgb_to_hsv(*pixel) for pixel in image.reshape(-1, 3)]
    return np.array([colorsys.hsv_to_rgb((h + shift) % 1.0, s, v) for h, s, v in flat]).reshape(image.shape)


def blend64(image, other, factor):
    return np.clip(factor * image + (1 - factor) * other, 0, 1)


def jitter64(image, sequence, factors, shift):
    image = image.astype(np.float64)
    for name in sequence:
        if name == "hue":
            image = hue64(image, shift)
        elif name == "brightness":
            image = blend64(image, 0.0, factors[0])
        elif name == "contrast":
            image = blend64(image, grey64(image).mean(), factors[1])
        else:
            image = blend64(image, grey64(image)[..., None], factors[2])
    return image


@functools.cache
def jittered(count=500):
    apply = jax.jit(jax.vmap(lambda key: views.color_jitter(key, jnp.asarray(SMALL), **STRENGTH)))
    draws = jax.jit(jax.vmap(lambda key: jax.random.uniform(key, (7,))))(keys(count))
    return np.asarray(apply(keys(count))), np.asarray(draws, np.float64)


def test_color_jitter_is_one_order_of_the_four_clamped_operations():
    """All 24 sequences of the reference are tried: one must fit every image, and each must be the only fit for some."""
    out, draws = jittered()
    assert out.dtype == np.float32 and out.min() >= 0 and out.max() <= 1
    sequences = list(itertools.permutations(["brightness", "contrast", "saturation", "hue"]))
    unique = np.zeros(24)
    for result, draw in zip(out, draws):
        factors, shift = 0.2 + 1.6 * draw[:3], 0.2 * (2 * draw[5] - 1)
        errors = [np.abs(jitter64(SMALL, sequence, factors, shift) - result).max() for sequence in sequences]
        assert min(errors) < 5e-6
        fits = np.array(errors) < 5e-6
        if fits.sum() == 1:  # orders without clamping in between give the same pixels
            unique += fits
    assert unique.min() > 0


@pytest.mark.parametrize("pair", [("brightness", "contrast"), ("contrast", "hue"), ("saturation", "hue")])
def test_color_jitter_orders_are_equally_likely(pair):
    """With two operations at a time, which came first is read off the pixels: each does in half of the cases."""
    strength = {name: s if name in pair else 0.0 for name, s in STRENGTH.items()}
    apply = jax.jit(jax.vmap(lambda key: views.color_jitter(key, jnp.asarray(SMALL), **strength)))
    out, draws = np.asarray(apply(keys(500))), jittered()[1]
    first = []
    for result, draw in zip(out, draws):
        factors, shift = 0.2 + 1.6 * draw[:3], 0.2 * (2 * draw[5] - 1)
        factors = [f if name in pair else 1.0 for f, name in zip(factors, STRENGTH)]
        ways = [jitter64(SMALL, order, factors, shift) for order in (pair, pair[::-1])]
        errors = [np.abs(way - result).max() for way in ways]
        assert min(errors) < 5e-6
        if np.abs(ways[0] - ways[1]).max() > 1e-4:  # without clamping in between the order leaves no trace
            first.append(errors[0] < errors[1])
    assert len(first) > 120
    assert abs(np.mean(first) - 0.5) < 4 * math.sqrt(0.25 / len(first))


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_jitter_factor_is_uniform_between_its_ends(name):
    """One operation alone: the factor read off the pixels is uniform in [max(0, 1 - s), 1 + s]."""
    image = np.array([[[0.35, 0.3, 0.4], [0.3, 0.35, 0.25]]], np.float32)  # never clamps below a factor of 2.5
    other = {"brightness": 0.0, "contrast": grey64(image).mean(), "saturation": grey64(image)[0, 0]}[name]
    strength = dict(brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0)
    for s, low in ((0.4, 0.6), (1.3, 0.0)):
        apply = jax.jit(jax.vmap(lambda key, s=s: views.color_jitter(key, jnp.asarray(image), **{**strength, name: s})))
        out = np.asarray(apply(keys(3000)))[:, 0, 0, 2]
        factor = (out - other) / (image[0, 0, 2] - other)
        assert stats.kstest(factor, stats.uniform(low, 1 + s - low).cdf).pvalue > 1e-3


def test_hue_shift_is_colorsys_and_uniform():
    image = np.concatenate(
        [SMALL.reshape(-1, 3), np.eye(3), 1 - np.eye(3), [[0.5] * 3, [0] * 3, [1] * 3, [0.2, 0.2, 0.7]]]
    )
    image = image.reshape(1, -1, 3).astype(np.float32)
    strength = dict(brightness=0.0, contrast=0.0, saturation=0.0, hue=0.5)
    out = np.asarray(jax.jit(jax.vmap(lambda key: views.color_jitter(key, jnp.asarray(image), **strength)))(keys(400)))
    red = 20  # the pure red pixel: its new hue is the shift
    shifts = np.array([colorsys.rgb_to_hsv(*result[0, red].astype(float))[0] for result in out])
    for result, shift in zip(out, shifts):
        np.testing.assert_allclose(result, hue64(image.astype(np.float64), shift), atol=5e-6)
    assert stats.kstest((shifts + 0.5) % 1.0, stats.uniform(0, 1).cdf).pvalue > 1e-3


def test_hue_outside_half_a_turn_is_an_error():
    with pytest.raises(ValueError, match="hue=0.6"):
        views.color_jitter(jax.random.key(0), jnp.asarray(SMALL), brightness=0, contrast=0, saturation=0, hue=0.6)


def test_grayscale_and_solarize_formulas():
    key, image = jax.random.key(0), jnp.asarray(SMALL)
    grey = views.grayscale(key, image, prob=1.0)
    np.testing.assert_allclose(grey, np.repeat(grey64(SMALL)[..., None], 3, axis=-1), atol=1e-6)
    for threshold in (0.5, 0.25):
        solar = views.solarize(key, image, threshold=threshold, prob=1.0)
        np.testing.assert_allclose(solar, np.where(SMALL >= threshold, 1 - SMALL, SMALL), atol=1e-7)


@pytest.mark.parametrize("sigma", [0.1, 0.8, 2.0])
@pytest.mark.parametrize("kernel_size", [3, 7])
def test_gaussian_blur_is_a_reflected_convolution(sigma, kernel_size):
    image, radius = RNG.uniform(0, 1, (8, 11, 3)).astype(np.float32), kernel_size // 2
    blur = functools.partial(views.gaussian_blur, kernel_size=kernel_size, sigma=(sigma, sigma), prob=1.0)
    out = jax.jit(blur)(jax.random.key(0), jnp.asarray(image))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = np.outer(taps, taps) / taps.sum() ** 2
    padded = np.pad(image.astype(np.float64), ((radius, radius), (radius, radius), (0, 0)), mode="reflect")
    expected = np.zeros(image.shape)
    for i, j in itertools.product(range(kernel_size), repeat=2):
        expected += kernel[i, j] * padded[i : i + 8, j : j + 11]
    np.testing.assert_allclose(out, expected, atol=2e-6)


def test_gaussian_blur_draws_sigma_uniformly():
    """The width is read off the blurred image of a point."""
    point = jnp.zeros((33, 33, 3)).at[16, 16].set(1.0)
    blur = functools.partial(views.gaussian_blur, kernel_size=33, sigma=(0.5, 2.0), prob=1.0)
    out = np.asarray(jax.jit(jax.vmap(lambda key: blur(key, point)))(keys(500)), np.float64)[..., 0]
    sigma = np.sqrt((out.sum(axis=2) * (np.arange(33) - 16) ** 2).sum(axis=1))
    # Sampling a Gaussian at whole pixels changes its second moment by less than 2% at sigma >= 0.5.
    assert stats.kstest(sigma, stats.uniform(0.5, 1.5).cdf).pvalue > 1e-3


@pytest.mark.parametrize("kernel_size", [4, 17])
def test_gaussian_blur_refuses_kernels_that_cannot_be(kernel_size):
    with pytest.raises(ValueError, match=f"kernel_size={kernel_size}"):
        views.gaussian_blur(jax.random.key(0), jnp.zeros((8, 8, 3)), kernel_size=kernel_size)
