"""Encoder, random encoder and pixels side by side; the pixel baseline itself."""

import numpy as np
import pytest

from jssl.evaluation import baselines, evaluate


def test_good_features_beat_noise_and_the_table_has_every_figure():
    rng = np.random.default_rng(0)
    y, test_y = rng.integers(0, 3, 120), rng.integers(0, 3, 100)
    good = lambda labels: np.eye(5)[labels] + 0.1 * rng.normal(size=(len(labels), 5))  # noqa: E731
    features = {"encoder": (good(y), good(test_y)), "random": (rng.normal(size=(120, 5)), rng.normal(size=(100, 5)))}
    results = evaluate(features, y, test_y, protocols=("knn", "linear", "collapse"), num_classes=3)
    assert list(results) == ["encoder", "random"]
    assert results["encoder"]["knn"] == results["encoder"]["linear"] == 1.0
    assert max(results["random"]["knn"], results["random"]["linear"]) < 0.6
    assert results["encoder"].keys() == results["random"].keys() >= {"linear_train", "linear_l2", "rankme"}
    assert all(isinstance(value, float) for row in results.values() for value in row.values())
    assert results["random"]["rankme"] > 4.5 > 4 > results["encoder"]["rankme"]


def test_only_the_protocols_asked_for_run():
    x, y = np.eye(2), np.array([0, 1])
    wide = np.eye(2, 9)  # features of several widths go side by side
    results = evaluate({"encoder": (x, x), "pixels": (wide, wide)}, y, y, protocols=("knn",), num_classes=2)
    assert results == {"encoder": {"knn": 1.0}, "pixels": {"knn": 1.0}}


def test_an_unknown_protocol_is_named():
    with pytest.raises(ValueError, match="no protocol 'lienar'; there are knn, linear, collapse"):
        evaluate({}, [], [], protocols=("lienar",), num_classes=2)


@pytest.mark.parametrize("shape", [(32, 32), (64, 64), (96, 72), (70, 33)])
def test_pixels_are_block_averages_centred_by_the_training_mean(shape):
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 256, (n, *shape, 3), np.uint8) for n in (5, 3))
    features = baselines.pixels(train, test, size=32)
    block = -(-max(shape) // 32)
    rows, columns = (side // block for side in shape)
    top, left = ((side - n * block) // 2 for side, n in zip(shape, (rows, columns)))

    def average(image, i, j):
        y, x = top + i * block, left + j * block
        return image[y : y + block, x : x + block].mean((0, 1)) / 255

    expected = [np.array([[average(im, i, j) for j in range(columns)] for i in range(rows)]).ravel() for im in train]
    np.testing.assert_allclose(features[0], expected - np.mean(expected, 0), atol=1e-5)
    assert features[1].shape == (3, rows * columns * 3) and features[1].dtype == np.float32
    first = np.array([[average(test[0], i, j) for j in range(columns)] for i in range(rows)]).ravel()
    np.testing.assert_allclose(features[1][0], first - np.mean(expected, 0), atol=1e-5)


def test_float_images_are_taken_as_they_are():
    image = np.random.default_rng(0).random((3, 4, 4, 3), np.float32)
    bytes_ = np.round(255 * image).astype(np.uint8)
    for a, b in zip(baselines.pixels(image, image), baselines.pixels(bytes_, bytes_)):
        np.testing.assert_allclose(a, b, atol=2 / 255)


def test_chunks_change_nothing():
    images = np.random.default_rng(0).integers(0, 256, (7, 4, 4, 3), np.uint8)
    np.testing.assert_array_equal(baselines._shrink(images, 2, chunk=3), baselines._shrink(images, 2))


def test_images_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="of one size"):
        baselines.pixels(np.zeros((1, 4, 4, 3)), np.zeros((1, 5, 5, 3)))
