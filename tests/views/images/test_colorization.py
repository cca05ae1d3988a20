"""Lab against its formula in float64, the bins, soft targets against theirs, and weights that let rare colours count."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import views

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
to_lab, to_rgb = jax.jit(views.rgb_to_lab), jax.jit(views.lab_to_rgb)


def lab_of(rgb):
    """From the tables of the sRGB standard (matrix to seven digits) and CIE's definition, per pixel."""
    rgb = np.asarray(rgb, np.float64)
    linear = np.where(rgb > 0.04045, np.power((rgb + 0.055) / 1.055, 2.4), rgb / 12.92)
    matrix = np.array(
        [[0.4123908, 0.3575843, 0.1804808], [0.2126390, 0.7151687, 0.0721923], [0.0193308, 0.1191948, 0.9505322]]
    )
    ratio = linear @ matrix.T / np.array([0.3127 / 0.3290, 1.0, (1 - 0.3127 - 0.3290) / 0.3290])
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), (29 / 6) ** 2 / 3 * ratio + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def test_lab_formula():
    dark = RNG.integers(0, 14, IMAGES.shape, dtype=np.uint8)  # both branches of both curves
    for pixels in (IMAGES, dark):
        np.testing.assert_allclose(to_lab(pixels), lab_of(pixels / 255.0), atol=2e-3)
        assert to_lab(pixels).dtype == jnp.float32


def test_lab_of_known_colours():
    rgb = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [119, 119, 119], [0, 0, 0]], np.uint8)
    expected = np.array(
        [[53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86], [100, 0, 0], [50.03, 0, 0], [0, 0, 0]]
    )
    np.testing.assert_allclose(to_lab(rgb), expected, atol=0.02)


def test_lab_round_trip():
    ramp = np.stack([np.arange(256)] * 3, axis=-1).astype(np.uint8)
    for pixels in (IMAGES, ramp):
        back = to_rgb(to_lab(pixels))
        np.testing.assert_allclose(back, pixels / 255.0, atol=2e-5)
        np.testing.assert_array_equal(np.rint(np.asarray(back) * 255), pixels)
    outside = to_rgb(jnp.array([[50.0, 200.0, -200.0], [120.0, 0.0, 0.0], [-5.0, 0.0, 0.0]]))
    assert np.isfinite(outside).all() and outside.min() >= 0 and outside.max() <= 1


def test_bins():
    bins = views.ab_bins()
    assert bins.shape == (261, 2) and bins.dtype == np.float32 and not bins.flags.writeable
    assert views.ab_bins() is bins
    np.testing.assert_array_equal(bins % 10, 0)
    assert len(np.unique(bins, axis=0)) == len(bins)
    # Random colours from within the cube fall into them, and none is far from all colours.
    ab = lab_of(np.random.default_rng(0).uniform(size=(20_000, 3)))[:, 1:]
    known = {tuple(b) for b in bins.tolist()}
    assert {tuple(b) for b in (np.rint(ab / 10) * 10 + 0.0).tolist()} <= known
    assert len(views.ab_bins(grid_size=5.0)) > 3 * len(bins)


def dense_targets(image, bins, stride, neighbors=5, sigma=5.0):
    """(h, w, Q) float64, one place at a time."""
    lab = lab_of(image / 255.0)
    height, width = len(lab) // stride, lab.shape[1] // stride
    out = np.zeros((height, width, len(bins)))
    for i, j in np.ndindex(height, width):
        ab = lab[i * stride : (i + 1) * stride, j * stride : (j + 1) * stride, 1:].mean(axis=(0, 1))
        distance = np.linalg.norm(bins - ab, axis=1)
        nearest = np.argsort(distance)[:neighbors]
        weights = np.exp(-(distance[nearest] ** 2) / (2 * sigma**2))
        out[i, j, nearest] = weights / weights.sum()
    return out


@functools.cache
def colored():
    apply = functools.partial(views.colorization, bins=views.ab_bins(), stride=4)
    return jax.jit(jax.vmap(apply))(jax.random.split(jax.random.key(0), 3), IMAGES)


def test_colorization_targets():
    out, bins = colored(), views.ab_bins()
    assert {name: value.shape for name, value in out.items()} == {
        "lightness": (3, 8, 8, 1),
        "target": (3, 2, 2, 5),
        "weight": (3, 2, 2, 5),
    }
    assert out["lightness"].dtype == out["weight"].dtype == jnp.float32 and out["target"].dtype == jnp.int32
    dense = np.asarray(views.soft_targets(out["target"], out["weight"], len(bins)))
    expected = np.stack([dense_targets(image, bins, 4) for image in IMAGES])
    np.testing.assert_allclose(dense, expected, atol=1e-4)
    np.testing.assert_allclose(dense.sum(axis=-1), 1.0, atol=1e-6)
    # The nearest comes first: it is the one that a place is weighted by.
    np.testing.assert_array_equal(out["target"][..., 0], expected.argmax(axis=-1))


def test_lightness_says_nothing_of_the_colour():
    lightness = np.asarray(colored()["lightness"])[..., 0]
    np.testing.assert_allclose(lightness, lab_of(IMAGES / 255.0)[..., 0] / 50 - 1, atol=1e-5)
    # Pictures of one lightness in all colours look the same to the encoder.
    ab = RNG.uniform(-15, 15, (3, 8, 8, 2)).astype(np.float32)
    rgb = to_rgb(jnp.concatenate([jnp.full((3, 8, 8, 1), 60.0), ab], axis=-1))
    assert float(np.ptp(np.asarray(rgb))) > 0.1
    view = jax.jit(lambda image: views.colorization(None, image, bins=views.ab_bins(), stride=4)["lightness"])
    np.testing.assert_allclose(view(rgb[0]), 0.2, atol=1e-5)


def test_prior_is_the_mean_of_the_targets():
    bins = views.ab_bins()
    prior = views.ab_prior(jnp.asarray(IMAGES), bins=bins, stride=4)
    expected = np.mean([dense_targets(image, bins, 4) for image in IMAGES], axis=(0, 1, 2))
    np.testing.assert_allclose(prior, expected, atol=1e-5)


@pytest.mark.parametrize("lam", [0.1, 0.5, 1.0])
def test_rebalancing_weights(lam):
    prior = RNG.dirichlet(np.full(12, 0.3))
    weights = np.asarray(views.rebalancing_weights(prior, lam=lam))
    expected = 1 / ((1 - lam) * prior + lam / 12)
    np.testing.assert_allclose(weights, expected / (prior * expected).sum(), rtol=1e-5)
    np.testing.assert_allclose((prior * weights).sum(), 1.0, atol=1e-6)
    # The rarer a colour, the more it counts.
    rising = np.diff(weights[np.argsort(prior)])
    assert (rising < 0).all() if lam < 1 else np.allclose(weights, 1.0)


def test_no_data_no_rebalancing():
    np.testing.assert_allclose(views.rebalancing_weights(np.full(261, 1 / 261)), 1.0, rtol=1e-5)


def test_bad_options_are_one_line():
    with pytest.raises(ValueError, match="stride=3 does not divide a 8 x 8 image"):
        views.colorization(None, jnp.asarray(IMAGES[0]), bins=views.ab_bins(), stride=3)
    with pytest.raises(ValueError, match=r"lam=0.0 is outside \(0, 1\]"):
        views.rebalancing_weights(jnp.ones(3) / 3, lam=0.0)
