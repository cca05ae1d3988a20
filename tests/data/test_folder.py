import os
import pickle

import numpy as np
import pytest
from pictures import encode, picture

from jssl.data import open_source


def test_order_labels_and_pixels(tree):
    source = open_source(f"folder:{tree}", "train")
    assert (len(source), source.class_names, source.num_classes) == (12, ("ant", "cat", "dog"), 3)
    # dog was written first (pictures 0-3) and is sorted last
    numbers = [4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3]
    images, labels = source.arrays()
    np.testing.assert_array_equal(images, np.stack([picture(i) for i in numbers]))
    assert labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    np.testing.assert_array_equal(source[-1]["image"], picture(3))
    with pytest.raises(IndexError):
        source[12]
    test = open_source(f"folder:{tree}", "test")
    assert len(test) == 6 and test[0]["label"] == 0
    assert test.fingerprint != source.fingerprint


def test_fingerprint_follows_the_content(tree):
    def opened(options=""):
        return open_source(f"folder:{tree}{options}", "train").fingerprint

    first = opened()
    assert opened() == first and opened("?image_size=8") != first and opened("?limit=6") != first
    (tree / "train" / "ant" / "0.png").write_bytes(encode(picture(99)))
    assert opened() != first


def test_sizes_differ(tree):
    (tree / "train" / "cat" / "1.png").write_bytes(encode(picture(0, 24)))
    with pytest.raises(ValueError, match=r"image 5 is \(24, 24\) and image 0 \(16, 16\).*image_size="):
        open_source(f"folder:{tree}", "train").arrays()
    assert open_source(f"folder:{tree}?image_size=20", "train").arrays()[0].shape == (12, 20, 20, 3)


@pytest.fixture
def damaged(tree):
    """The tree with a PNG cut in half and one that is empty."""
    whole = tree / "train" / "cat" / "1.png"
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (tree / "train" / "dog" / "3.png").write_bytes(b"")
    return tree


def test_corrupt_images_raise_and_name_the_file(damaged):
    source = open_source(f"folder:{damaged}", "train")
    for run in (lambda: source[5], source.arrays):
        with pytest.raises(ValueError, match=r'cannot read .*cat/1\.png: .*use on_error="skip"') as caught:
            run()
        assert "\n" not in str(caught.value)


def test_corrupt_images_are_skipped_and_counted(damaged):
    source = open_source(f"folder:{damaged}?on_error=skip", "train")
    assert source.skipped == 0
    for _ in range(2):  # always by the same neighbour, counted once
        np.testing.assert_array_equal(source[5]["image"], source[6]["image"])
        assert source[5]["label"] == 1 and source.skipped == 1
    images, _ = source.arrays()
    np.testing.assert_array_equal(images[11], images[0])  # the last one's neighbour is the first
    assert source.skipped == 2 and source.replaced == {5, 11}


def test_a_file_that_vanishes_is_a_corrupt_one(tree):
    skip, strict = (open_source(f"folder:{tree}?on_error={policy}", "train") for policy in ("skip", "raise"))
    (tree / "train" / "ant" / "0.png").unlink()
    np.testing.assert_array_equal(skip[0]["image"], skip[1]["image"])
    with pytest.raises(ValueError, match=r"cannot read .*ant/0\.png: .*No such file"):
        strict[0]


def test_nothing_readable(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no")
    (tmp_path / "b.png").write_bytes(b"no")
    source = open_source(f"folder:{tmp_path}?on_error=skip&holdout=0", "train")
    with pytest.raises(ValueError, match="none of the 2 images can be read"):
        source[0]


def test_bad_folders(tmp_path):
    (tmp_path / "readme.txt").write_text("no image")
    with pytest.raises(ValueError, match=r"no image in .*; expected .*<class>/<name>\.png"):
        open_source(f"folder:{tmp_path}")
    with pytest.raises(ValueError, match="no folder .*nowhere; give the folder"):
        open_source(f"folder:{tmp_path}/nowhere")
    (tmp_path / "a.png").write_bytes(encode(picture(0)))
    with pytest.raises(ValueError, match='on_error is "ignore"'):
        open_source(f"folder:{tmp_path}?on_error=ignore")


def test_links_are_followed_but_not_in_circles(tree):
    os.symlink(tree / "train" / "ant", tree / "train" / "bee")
    os.symlink(tree, tree / "train" / "ant" / "loop")
    source = open_source(f"folder:{tree}", "train")
    assert source.class_names == ("ant", "bee", "cat", "dog") and len(source) == 16


def test_a_copy_in_another_process_reads_the_same(tree):
    source = open_source(f"folder:{tree}", "train")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source))[3]["image"], source[3]["image"])
