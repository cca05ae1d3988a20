"""Jigsaw puzzles: the set of permutations, where tiles were cut, and what is hidden."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jssl import views

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (32, 32, 3), dtype=np.uint8)
GRID, TILE, CELL, NUM = 3, 8, 10, 600
PERMUTATIONS = views.jigsaw_permutations(20)
LUMA = np.array([0.2989, 0.587, 0.114])


def distances(permutations):
    """Number of places in which each two differ."""
    different = (permutations[:, None] != permutations[None]).sum(axis=-1)
    return different[np.triu_indices(len(permutations), 1)]


@pytest.mark.parametrize("num, tiles", [(30, 9), (24, 4), (40, 16)])
def test_permutations(num, tiles):
    chosen = views.jigsaw_permutations(num, tiles)
    assert chosen.shape == (num, tiles) and chosen.dtype == np.int32 and not chosen.flags.writeable
    np.testing.assert_array_equal(np.sort(chosen, axis=1), np.tile(np.arange(tiles), (num, 1)))
    assert len(np.unique(chosen, axis=0)) == num
    assert views.jigsaw_permutations(num, tiles) is chosen


def test_permutations_are_far_apart():
    random = np.random.default_rng(0).permuted(np.tile(np.arange(9), (100, 1)), axis=1)
    for seed in range(2):
        chosen = views.jigsaw_permutations(100, seed=seed)
        # Any two of a hundred differ in six places, of the first nine in eight.
        assert distances(chosen).min() == 6 and distances(random).min() <= 4
        assert distances(chosen).mean() > 8.05 > distances(random).mean()
        assert distances(chosen[:9]).min() >= 8
    assert (views.jigsaw_permutations(100, seed=0)[0] != chosen[0]).any()


@pytest.mark.parametrize("tiles", [4, 5])
def test_permutations_are_the_greedy_ones(tiles):
    """Each is as far from the nearest one before it as any permutation is, and among these farthest in the mean."""
    everything = np.array(list(itertools.permutations(range(tiles))))
    chosen = views.jigsaw_permutations(20, tiles, seed=3)
    for i in range(1, 20):
        different = (everything[:, None] != chosen[None, :i]).sum(axis=-1)
        nearest, mean = different.min(axis=1), different.mean(axis=1)
        ours = (chosen[i] != chosen[:i]).sum(axis=-1)
        assert ours.min() == nearest.max() and np.isclose(ours.mean(), mean[nearest == nearest.max()].max())


@functools.partial(jax.jit, static_argnums=(2, 3))
def batch(keys, image, gray_prob, channel_jitter):
    apply = functools.partial(
        views.jigsaw,
        grid=GRID,
        tile=TILE,
        permutations=PERMUTATIONS,
        gray_prob=gray_prob,
        channel_jitter=channel_jitter,
    )
    return jax.vmap(apply, in_axes=(0, None))(keys, image)


@functools.cache
def puzzles():
    return jax.tree.map(np.asarray, batch(jax.random.split(jax.random.key(0), NUM), IMAGE, 0.3, 1))


def standardize(windows):
    centered = windows - windows.mean(axis=(-2, -1), keepdims=True)
    return centered / centered.std(axis=(-2, -1), keepdims=True)


@functools.cache
def solved():
    """Which are grey (N,), and per tile the cell (N, n) and the corner of each channel in it (N, n, 3, 2).

    Found by comparing every channel of every tile with that channel everywhere in the image, in float64.
    """
    pixels = IMAGE / 255.0
    tiles = np.moveaxis(puzzles()["tiles"], -1, 2)  # (N, n, 3, t, t)
    is_gray = np.ptp(tiles, axis=2).max(axis=(1, 2, 3)) < 1e-4
    corners = np.empty((*tiles.shape[:3], 2), int)
    for gray in (False, True):
        planes = np.repeat((pixels @ LUMA)[..., None], 3, axis=-1) if gray else pixels
        for channel in range(3):
            windows = np.lib.stride_tricks.sliding_window_view(planes[..., channel], (TILE, TILE))
            candidates = standardize(windows).reshape(-1, TILE * TILE)
            ours = tiles[is_gray == gray][:, :, channel].reshape(-1, TILE * TILE)
            best = np.argmax(ours @ candidates.T.astype(np.float32), axis=1)
            np.testing.assert_allclose(ours, candidates[best], atol=5e-5)
            found = np.stack(np.unravel_index(best, windows.shape[:2]), axis=-1)
            corners[is_gray == gray, :, channel] = found.reshape(-1, GRID * GRID, 2)
    corners = corners - 1  # the border of (32 - 3 * 10) / 2 pixels that is cut off
    cells = corners // CELL
    assert (cells == cells[:, :, :1]).all() and (corners - cells * CELL <= CELL - TILE).all()
    return is_gray, cells[:, :, 0] @ np.array([GRID, 1]), corners - cells * CELL


def test_label_is_the_permutation():
    label = puzzles()["label"]
    assert puzzles()["tiles"].shape == (NUM, 9, TILE, TILE, 3) and label.dtype == np.int32
    assert stats.chisquare(np.bincount(label, minlength=20)).pvalue > 1e-3
    np.testing.assert_array_equal(solved()[1], PERMUTATIONS[label])


def test_tiles_are_cut_at_random_places():
    is_gray, _, corners = solved()
    counts = np.zeros((3, 3))
    np.add.at(counts, tuple(corners[is_gray, :, 0].reshape(-1, 2).T), 1)
    assert stats.chisquare(counts.ravel()).pvalue > 1e-3
    # One place is independent of the next.
    first, second = corners[is_gray, 0, 0, 0], corners[is_gray, 1, 0, 0]
    assert stats.chi2_contingency(np.histogram2d(first, second, bins=3)[0]).pvalue > 1e-3


def test_chromatic_aberration_is_hidden():
    """Grey, or channels displaced by so much: the displacement that a lens made cannot be told from it."""
    is_gray, _, corners = solved()
    assert abs(is_gray.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / NUM)
    green = corners[~is_gray][:, :, 1] - corners[~is_gray][:, :, 0]
    for axis in range(2):
        values, counts = np.unique(green[..., axis], return_counts=True)
        assert set(values) == {-2, -1, 0, 1, 2} and counts.min() > 0.03 * counts.sum()
        assert abs(green[..., axis].mean()) < 0.05


def test_means_and_variances_are_hidden():
    tiles = puzzles()["tiles"].astype(np.float64)
    np.testing.assert_allclose(tiles.mean(axis=(2, 3)), 0.0, atol=1e-6)
    np.testing.assert_allclose(tiles.std(axis=(2, 3)), 1.0, atol=1e-5)


def test_flat_tiles_stay_flat():
    image = np.full_like(IMAGE, 127)
    image[::2] = 128  # half a grey level around the mean is not blown up to one standard deviation
    tiles = batch(jax.random.split(jax.random.key(0), NUM), image, 0.3, 1)["tiles"]
    np.testing.assert_allclose(np.abs(tiles), 0.5, atol=1e-3)


def test_keys():
    keys = jax.random.split(jax.random.key(0), NUM)
    np.testing.assert_array_equal(batch(keys, IMAGE, 0.3, 1)["tiles"], puzzles()["tiles"])
    assert len(np.unique(puzzles()["tiles"][:, 0, 0, :4, 0], axis=0)) > NUM / 4


def test_bad_options_are_one_line():
    options = {"grid": 3, "tile": 8, "permutations": PERMUTATIONS}
    for wrong, message in [
        ({"tile": 10}, r"tile=10 in cells of 10 x 10 \(32 x 32 image, grid=3\); tiles must be smaller"),
        ({"grid": 2}, r"permutations have shape \(20, 9\); grid=2 needs \(P, 4\)"),
    ]:
        with pytest.raises(ValueError, match=message) as error:
            views.jigsaw(jax.random.key(0), jnp.asarray(IMAGE), **{**options, **wrong})
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="num=25 permutations of 4 tiles; choose from 1 to 24"):
        views.jigsaw_permutations(25, 4)
