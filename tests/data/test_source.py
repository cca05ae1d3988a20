import numpy as np
import pytest
from pictures import picture

from jssl.data import ArraySource, open_source
from jssl.data.source import parse_spec


@pytest.mark.parametrize(
    "spec, parsed",
    [
        ("synthetic", ("synthetic", "", {})),
        ("synthetic:num_examples=10,seed=3", ("synthetic", "", {"num_examples": 10, "seed": 3})),
        ("synthetic:?num_examples=10&seed=3", ("synthetic", "", {"num_examples": 10, "seed": 3})),
        ("tar:a.tar,b/*.tar.gz", ("tar", "a.tar,b/*.tar.gz", {})),
        ("tar:a?.tar", ("tar", "a?.tar", {})),
        ("tar:a?.tar?image_size=32&holdout=0.2", ("tar", "a?.tar", {"image_size": 32, "holdout": 0.2})),
        ("folder:x y?on_error=skip", ("folder", "x y", {"on_error": "skip"})),
        ("tfds:mnist:train[:50%]", ("tfds", "mnist:train[:50%]", {})),
    ],
)
def test_specs(spec, parsed):
    assert parse_spec(spec) == parsed


@pytest.mark.parametrize(
    "spec, message",
    [
        ("fodler:x", "did you mean 'folder'"),
        ("x", "there are synthetic, tar, folder, idx, tfds"),
        ("folder:", "names nothing to open; write folder:<path>"),
        ("folder:x?imagesize=3", "no option \"imagesize\"; did you mean 'image_size'"),
        ("folder:x?image_size=big", "image_size=big .* is not int"),
        ("synthetic:seed", 'option "seed" .* has no value; write seed=<value>'),
    ],
)
def test_bad_specs_say_what_to_do(spec, message):
    with pytest.raises(ValueError, match=message) as caught:
        open_source(spec)
    assert "\n" not in str(caught.value)


def test_defaults_fill_what_the_spec_leaves_out():
    def size(spec, **defaults):
        return open_source(spec, "train", **defaults)[0]["image"].shape[0]

    assert size("synthetic:num_examples=2", image_size=16) == 16
    assert size("synthetic:num_examples=2,image_size=8", image_size=16) == 8
    assert size("synthetic:num_examples=2", image_size=None, on_error="skip") == 32  # no such option here: left out


def test_array_source():
    images = np.stack([picture(i, 8) for i in range(6)])
    source = ArraySource(images, [0, 1, 2, 0, 1, 2], class_names=["x", "y", "z"])
    assert (len(source), source.num_classes, source.class_names, source.skipped) == (6, 3, ("x", "y", "z"), 0)
    np.testing.assert_array_equal(source[4]["image"], images[4])
    assert source[4]["label"] == 1
    assert [example["label"] for example in source] == [0, 1, 2, 0, 1, 2]
    found, labels = source.arrays()
    np.testing.assert_array_equal(found, images)
    assert labels.tolist() == [0, 1, 2, 0, 1, 2] and labels.dtype == np.int32


def test_array_source_grey_and_resize():
    grey = np.full((3, 8, 8), 7, np.uint8)
    for images in (grey, grey[..., None]):
        for size in (None, 16):
            source = ArraySource(images, image_size=size)
            assert source.arrays()[0].tolist() == np.full((3, size or 8, size or 8, 3), 7).tolist()
            np.testing.assert_array_equal(source[1]["image"], source.arrays()[0][1])
    assert source.num_classes is None and source[0]["label"] == -1


def test_array_fingerprints():
    images = np.stack([picture(i, 8) for i in range(6)])
    changed = images.copy()
    changed[5, 7, 7, 2] ^= 1
    prints = [ArraySource(x, y).fingerprint for x, y in ((images, None), (changed, None), (images, [0] * 5 + [1]))]
    assert len(set(prints)) == 3 and ArraySource(images.copy()).fingerprint == prints[0]


@pytest.mark.parametrize(
    "images, labels, message",
    [
        (np.zeros((2, 4, 4, 3), np.float32), None, "expected uint8"),
        (np.zeros((2, 4, 4, 4), np.uint8), None, r"\(2, 4, 4, 4\); expected uint8 \(N, H, W, 3\)"),
        (np.zeros((0, 4, 4, 3), np.uint8), None, "images are empty"),
        (np.zeros((2, 4, 4, 3), np.uint8), [1], r"labels have shape \(1,\)"),
    ],
)
def test_bad_arrays(images, labels, message):
    with pytest.raises(ValueError, match=message):
        ArraySource(images, labels)
