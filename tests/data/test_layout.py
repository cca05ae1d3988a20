import numpy as np
import pytest

from jssl.data.layout import fingerprint, is_image, select, take_evenly


def test_images_are_known_by_their_name():
    assert all(map(is_image, ("a.png", "b/c.JPEG", "x.webp")))
    assert not any(map(is_image, ("a.txt", "png", "b/._c.jpg", "labels.csv")))  # ._: left behind by macOS


def test_splits_from_folders():
    paths = ["set/train/b/1.png", "set/train/a/2.png", "set/test/b/3.png", "set/test/c/4.png"]
    for split, positions, labels in (("train", [0, 1], [1, 0]), ("test", [2, 3], [1, 2])):
        found, found_labels, names = select(paths, split)
        assert (found.tolist(), found_labels.tolist(), names) == (positions, labels, ("a", "b", "c"))
    assert found_labels.dtype == np.int32


def test_val_stands_in_for_test_and_is_never_trained_on():
    paths = ["train/a/1.png", "val/a/2.png", "test/a/3.png"]
    assert select(paths, "train")[0].tolist() == [0]
    assert select(paths, "test")[0].tolist() == [2]
    assert select(paths[:2], "test")[0].tolist() == [1]


def test_hold_out_without_split_folders():
    paths = [f"{name}/{i:03}.png" for name in ("cat", "dog") for i in range(50)]
    train, train_labels, _ = select(paths, "train")
    test, test_labels, _ = select(paths, "test")
    assert sorted([*train, *test]) == list(range(100))
    assert np.bincount(train_labels).tolist() == [45, 45] and np.bincount(test_labels).tolist() == [5, 5]
    assert len(select(paths, "test", holdout=0.5)[0]) == 50
    assert len(select(paths, "train", holdout=0)[0]) == 100
    # A train folder alone is held out from, too.
    assert len(select([f"train/{path}" for path in paths], "test")[0]) == 10


def test_a_class_may_be_called_train():
    _, labels, names = select(["bus/1.png", "train/2.png"], "train", holdout=0)
    assert names == ("bus", "train") and labels.tolist() == [0, 1]
    _, labels, names = select(["train/bus/1.png", "train/train/2.png", "val/bus/3.png"], "train")
    assert names == ("bus", "train") and labels.tolist() == [0, 1]


def test_images_without_classes():
    positions, labels, names = select(["1.png", "2.png"], "train", holdout=0)
    assert positions.tolist() == [0, 1] and labels is None and names == ()
    positions, labels, names = select(["images/1.png", "images/2.png"], "train", holdout=0)
    assert positions.tolist() == [0, 1] and labels is None and names == ()
    positions, labels, names = select(["train/1.png", "test/2.png"], "train")
    assert positions.tolist() == [0] and labels is None and names == ()
    # The split that is asked for decides: one may have no classes and the other some.
    paths = ["train/1.png", "train/2.png", "test/a/3.png", "test/b/4.png"]
    positions, labels, names = select(paths, "train")
    assert positions.tolist() == [0, 1] and labels is None and names == ()
    assert select(paths, "test")[1].tolist() == [0, 1] and select(paths, "test")[2] == ("a", "b")


def test_pictures_in_no_class_folder_are_left_out_and_counted(caplog):
    paths = [
        "train/x.png",
        "train/a/1.png",
        "train/b/2.png",
        "train/y.png",
        "train/z.png",
        "test/a/3.png",
        "test/b/4.png",
    ]
    positions, labels, _ = select(paths, "train")
    assert positions.tolist() == [1, 2] and labels.tolist() == [0, 1]
    (record,) = caplog.records
    told = "3 pictures in no class folder are left out of split train, the first is train/x.png"
    assert record.levelname == "WARNING" and record.message == told
    caplog.clear()
    assert select(paths, "test")[0].tolist() == [5, 6] and not caplog.records  # this split has none
    select(["x.png", "a/1.png", "b/2.png"], "train", holdout=0)
    assert "1 picture in no class folder is left out of split train, the first is x.png" in caplog.text


def test_pictures_left_out_do_not_change_what_is_held_out():
    paths = [f"{name}/{i:03}.png" for name in ("cat", "dog") for i in range(50)]
    for split in ("train", "test"):
        positions, labels, _ = select(["x.png", *paths], split)
        expected, expected_labels, _ = select(paths, split)
        np.testing.assert_array_equal(positions - 1, expected)
        np.testing.assert_array_equal(labels, expected_labels)


@pytest.mark.parametrize("layout", ["sorted", "interleaved"])
def test_limit_is_balanced_however_the_classes_are_laid_out(layout):
    paths = [f"{i // 20 if layout == 'sorted' else i % 5}/{i:03}.png" for i in range(100)]
    positions, labels, _ = select(paths, "train", holdout=0, limit=20)
    assert np.bincount(labels).tolist() == [4] * 5
    assert (np.diff(positions) > 0).all()
    assert len(select(paths, "train", holdout=0, limit=1000)[0]) == 100
    assert len(take_evenly(np.full(7, -1), 3)) == 3


@pytest.mark.parametrize(
    "options, message",
    [
        ({"split": "dev"}, 'split is "dev"'),
        ({"split": "test", "holdout": 0}, 'no image is left for split "test"'),
        ({"split": "train", "holdout": 1.0}, "holdout is 1.0"),
        ({"split": "train", "limit": 0}, "limit is 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        select(["a/1.png", "a/2.png"], **options)


def test_fingerprint_sees_names_content_and_options():
    files = [b"one", b"two"]
    same = [fingerprint(["a", "b"], files, 32) for _ in range(2)]
    assert same[0] == same[1]
    others = {
        fingerprint(["a", "c"], files, 32),
        fingerprint(["a", "b"], files[::-1], 32),
        fingerprint(["a", "b"], files, 64),
    }
    assert len(others | set(same)) == 4
