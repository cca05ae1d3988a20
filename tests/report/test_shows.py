"""What methods show of themselves in jssl report."""

import jax
import numpy as np
import pytest
from harness import Tiny

from jssl import views

pytestmark = pytest.mark.slow


def shown(name):
    """(views, what is shown of them) of a tiny run."""
    run = Tiny(name)
    (show,) = run.method.shows.values()
    batch, _ = run.views()
    return batch, jax.jit(show.apply)(run.state.params, run.state.teacher, run.state.extra, batch)


def test_mae_shows_the_hidden_patches_alone_reconstructed():
    batch, (picture, seen, whole) = shown("mae")
    np.testing.assert_allclose(picture, batch["image"], atol=1e-6)
    side = int(batch["mask"].shape[1] ** 0.5)
    hidden = np.repeat(np.repeat(batch["mask"].reshape(-1, side, side), 16 // side, 1), 16 // side, 2)[..., None] > 0
    assert not np.any(np.where(hidden, seen, 0)) and np.any(np.where(hidden, whole - picture, 0))
    np.testing.assert_array_equal(np.where(hidden, 0, whole), np.where(hidden, 0, picture))


def test_ijepa_shows_cosines_at_the_targets():
    batch, (_, context, cosine) = shown("ijepa")
    assert set(np.unique(context)) == {0.0, 1.0} and np.all(np.abs(cosine) <= 1 + 1e-5)
    for row, indices, mask in zip(np.asarray(cosine), batch["target"], batch["target_mask"]):
        assert set(np.flatnonzero(row)) == set(np.unique(indices[mask]))


def test_colorization_shows_grey_and_two_colourings_of_one_lightness():
    batch, pictures = shown("colorization")
    grey, predicted, true = (np.asarray(picture) for picture in pictures)
    assert grey.shape == predicted.shape == true.shape == (*batch["lightness"].shape[:3], 3)
    pixels = grey * np.asarray(views.IMAGENET_STD) + np.asarray(views.IMAGENET_MEAN)
    assert np.ptp(pixels, axis=-1).max() < 1e-3 and np.ptp(pixels) > 0.3
    assert np.abs(predicted - true).max() > 0.01 and np.abs(grey - true).max() > 0.1


def test_jigsaw_shows_every_tile_in_its_true_cell():
    batch, (shuffled, _, true) = shown("jigsaw")
    tiles, size = np.asarray(batch["pieces"]), batch["pieces"].shape[2]
    grid = shuffled.shape[1] // size
    order = views.jigsaw_permutations(8, grid**2)
    for n in range(len(tiles)):
        for i in range(grid**2):
            for picture, cell in ((shuffled, i), (true, order[batch["label"][n]][i])):
                row, column = divmod(int(cell), grid)
                found = picture[n, row * size : (row + 1) * size, column * size : (column + 1) * size]
                np.testing.assert_array_equal(found, tiles[n, i])
