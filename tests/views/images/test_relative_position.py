"""Pairs of patches: where they were cut, found again by comparing with every patch of the image, and what is hidden."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jssl import views

IMAGE = np.random.default_rng(0).integers(0, 256, (32, 34, 3), dtype=np.uint8)
PATCH, GAP, JITTER = 8, 2, 1
NUM = 1200
A = np.array([-1.0, 2.0, -1.0])


@functools.partial(jax.jit, static_argnums=2)
def batch(keys, image, color):
    apply = functools.partial(views.relative_position, patch=PATCH, gap=GAP, jitter=JITTER, color=color)
    return jax.vmap(apply, in_axes=(0, None))(keys, image)


@functools.cache
def pairs(color):
    return jax.tree.map(np.asarray, batch(jax.random.split(jax.random.key(0), NUM), IMAGE, color))


def every_patch():
    """All patches of the image by position, in float64: projected by the paper's matrix, then standardised."""
    pixels = IMAGE / 255.0
    windows = np.moveaxis(np.lib.stride_tricks.sliding_window_view(pixels, (PATCH, PATCH), (0, 1)), 2, -1)
    projected = windows @ (np.eye(3) - np.outer(A, A) / (A @ A))
    centered = projected - projected.mean(axis=(2, 3), keepdims=True)
    return centered / centered.std(axis=(2, 3, 4), keepdims=True)


@functools.cache
def positions():
    """Corners (N, 2) of centres and neighbours; every patch agrees with the formula at the place where it was cut."""
    candidates = every_patch()
    shape, flat = candidates.shape[:2], candidates.reshape(-1, PATCH * PATCH * 3)
    found = []
    for name in ("center", "neighbor"):
        ours = pairs("projection")[name].reshape(len(pairs("projection")[name]), -1)
        best = np.argmax(ours @ flat.T.astype(np.float32), axis=1)
        np.testing.assert_allclose(ours, flat[best], atol=2e-5)
        found.append(np.stack(np.unravel_index(best, shape), axis=1))
    return found


def test_shapes_and_labels():
    for color in ("projection", "dropping"):
        out = pairs(color)
        assert out["center"].shape == out["neighbor"].shape == (NUM, PATCH, PATCH, 3)
        assert out["center"].dtype == np.float32 and out["label"].dtype == np.int32
        assert stats.chisquare(np.bincount(out["label"], minlength=8)).pvalue > 1e-3


def test_label_is_the_side():
    center, neighbor = positions()
    directions = np.rint((neighbor - center) / (PATCH + GAP)).astype(int)
    grid = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    np.testing.assert_array_equal(directions, np.array(grid)[pairs("projection")["label"]])


def test_edges_do_not_continue():
    """At least one pixel lies between the patches, a random number of them, and neither side is in line with the other."""
    center, neighbor = positions()
    offset = neighbor - center
    apart = np.abs(offset) - PATCH
    assert (apart.max(axis=1) >= GAP - JITTER).all() and GAP - JITTER >= 1
    step = np.rint(offset / (PATCH + GAP)).astype(int)
    jitter = offset - step * (PATCH + GAP)
    for axis in range(2):
        counts = np.bincount(jitter[:, axis] + JITTER, minlength=2 * JITTER + 1)
        assert len(counts) == 2 * JITTER + 1 and stats.chisquare(counts).pvalue > 1e-3


def test_centre_alone_says_nothing():
    center, _ = positions()
    low = PATCH + GAP + JITTER
    places = (center - low) @ np.array([10, 1])
    table = np.zeros((8, 100))
    np.add.at(table, (pairs("projection")["label"], places), 1)
    table = table[:, table.any(axis=0)]
    assert table.shape[1] == (32 - 29) * (34 - 29)  # rows 0..2 and columns 0..4 of room: sides less 30, plus one
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_projection_hides_the_displacement_of_green():
    for name in ("center", "neighbor"):
        assert np.abs(pairs("projection")[name] @ A).max() < 1e-5


def test_dropping_leaves_one_channel():
    for name in ("center", "neighbor"):
        patches = pairs("dropping")[name]
        deviations = patches.std(axis=(1, 2))
        kept = deviations.argmax(axis=1)
        assert stats.chisquare(np.bincount(kept, minlength=3)).pvalue > 1e-3
        noise = np.sort(deviations, axis=1)[:, :2] / deviations.max(axis=1, keepdims=True)
        assert abs(noise.mean() - 0.01) < 1e-3 and noise.max() < 0.02
        # What is left of the dropped channels does not follow the kept one.
        rest = patches[np.arange(NUM), :, :, (kept + 1) % 3].reshape(NUM, -1)
        chosen = patches[np.arange(NUM), :, :, kept].reshape(NUM, -1)
        correlation = (rest * chosen).mean(axis=1) / rest.std(axis=1) / chosen.std(axis=1)
        assert abs(correlation.mean()) < 0.02
    assert (kept != pairs("dropping")["center"].std(axis=(1, 2)).argmax(axis=1)).mean() > 0.5  # each patch its own


@pytest.mark.parametrize("color", ["projection", "dropping"])
def test_brightness_and_contrast_are_hidden(color):
    for name in ("center", "neighbor"):
        patches = pairs(color)[name].astype(np.float64)
        np.testing.assert_allclose(patches.mean(axis=(1, 2)), 0.0, atol=1e-6)
        np.testing.assert_allclose(patches.std(axis=(1, 2, 3)), 1.0, atol=1e-4)


def test_flat_patches_stay_flat():
    image = np.full_like(IMAGE, 127)
    image[::2] = 128  # half a grey level around the mean is not blown up to one standard deviation
    out = batch(jax.random.split(jax.random.key(0), NUM), image, "projection")
    np.testing.assert_allclose(np.abs(out["center"]), 0.5, atol=1e-4)


def test_bad_options_are_one_line():
    options = {"patch": PATCH, "gap": GAP, "jitter": JITTER}
    for wrong, size, message in [
        ({}, 29, "a 32 x 29 image is too small for patch=8, gap=2, jitter=1: sides must be at least 30"),
        ({"jitter": 2}, 34, "jitter=2 with gap=2: patches could touch"),
        ({"color": "none"}, 34, "color='none'; use 'projection' or 'dropping'"),
    ]:
        with pytest.raises(ValueError, match=message) as error:
            views.relative_position(jax.random.key(0), jnp.asarray(IMAGE[:, :size]), **{**options, **wrong})
        assert "\n" not in str(error.value)
