"""Grids of images, read back from the PNG."""

import numpy as np
import pytest
from PIL import Image

from jssl.report import image_grid, mask_image, save_png


def test_grid_read_back_from_png(tmp_path):
    rng = np.random.default_rng(0)
    first = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    small = rng.uniform(0, 1, (2, 2, 3)).astype(np.float32)
    flags = rng.uniform(size=(4, 6)) > 0.5
    path = tmp_path / "made" / "grid.png"
    save_png(path, image_grid([[first, small], [flags]], gap=1, background=200, scale=2))
    with Image.open(path) as image:
        assert image.format == "PNG" and image.mode == "RGB"
        grid = np.asarray(image)
    assert grid.shape == (1 + 2 * (8 + 1), 1 + 2 * (12 + 1), 3)
    np.testing.assert_array_equal(grid[1:9:2, 1:13:2], first)
    np.testing.assert_array_equal(grid[2:9:2, 2:13:2], first)
    # Smaller images sit in the middle of their cell.
    np.testing.assert_array_equal(grid[3:7:2, 18:22:2], np.round(small * 255))
    np.testing.assert_array_equal(grid[10:18:2, 1:13:2, 1], flags * 255)
    covered = np.zeros(grid.shape[:2], bool)
    covered[1:9, 1:13] = covered[3:7, 18:22] = covered[10:18, 1:13] = True
    assert (grid[~covered] == 200).all()


def test_floats_are_clipped_and_rounded():
    grid = image_grid([[np.array([[[-1.0, 0.5, 2.0]], [[np.nan, 0.0, 1.0]]])]], gap=0)
    np.testing.assert_array_equal(grid[:, 0], [[0, 128, 255], [0, 0, 255]])


def test_mask_image_darkens_the_masked_patches():
    image = np.full((4, 6, 3), 200, np.uint8)
    mask = np.array([[1, 0, 0], [0, 0, 1]])
    expected = image.copy()
    expected[:2, :2] = expected[2:, 4:] = 50
    np.testing.assert_array_equal(mask_image(image, mask, shade=0.25), expected)
    with pytest.raises(ValueError, match="does not divide"):
        mask_image(image, np.ones((3, 3)))


@pytest.mark.parametrize("rows", [[], [[]]])
def test_no_images(rows):
    with pytest.raises(ValueError, match="no images"):
        image_grid(rows)


def test_wrong_shape():
    with pytest.raises(ValueError, match=r"\(2, 2, 4\)"):
        image_grid([[np.zeros((2, 2, 4))]])
