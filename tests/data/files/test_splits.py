import pathlib
import re

import numpy as np
import pytest

from jssl.data import NoSplit
from jssl.data.files.shares import take_evenly
from jssl.data.files.splits import arrange


def select(paths, split, *, limit=None, **options):
    return arrange(paths, **options).select(split, limit)


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


def test_strays_are_left_out_and_told():
    paths = [
        "train/x.png",
        "train/a/1.png",
        "train/b/2.png",
        "train/y.png",
        "train/b/3.png",
        "test/a/3.png",
        "test/b/4.png",
    ]
    found = arrange(paths)
    positions, labels, _ = found.select("train")
    assert positions.tolist() == [1, 2, 4] and labels.tolist() == [0, 1, 1]
    assert found.select("test")[0].tolist() == [5, 6]
    assert (
        found.summary("train")
        == "pictures: 2 classes, 3 train, 2 test, 2 stray pictures ignored, the first: train/x.png"
    )
    assert found.summary("all") == "pictures: 2 classes, all 7 pictures, whatever their split"
    positions, labels, names = found.select("all")
    assert positions.tolist() == list(range(7)) and labels is None and names == ()


def test_most_pictures_are_no_strays():
    """Many loose pictures and a few in folders: nobody means to train on the few."""
    paths = [*(f"{i}.png" for i in range(30)), "edited/a/1.png", "edited/b/2.png"]
    positions, labels, names = select(paths, "train", holdout=0)
    assert positions.tolist() == list(range(32)) and labels is None and names == ()
    assert arrange(paths).summary("train") == "pictures: no classes, 29 train, 3 test"


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
        ({"split": "test", "holdout": 0}, 'no picture is left for split "test"'),
        ({"split": "train", "holdout": 1.0}, "holdout is 1.0"),
        ({"split": "train", "limit": 0}, "limit is 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        select(["a/1.png", "a/2.png"], **options)


def told(*paths, split="train", holdout=0.5):
    return arrange(paths, holdout=holdout).summary(split).removeprefix("pictures: ")


def labelled(*paths, split="train", holdout=0):
    positions, labels, names = select(paths, split, holdout=holdout)
    return {
        paths[i]: names[label] if labels is not None else None
        for i, label in zip(positions, labels if labels is not None else positions)
    }


def test_a_stray_beside_train_and_test_moves_nothing():
    paths = ["overview.png", "train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "test/dog/4.png"]
    assert labelled(*paths) == {"train/cat/1.png": "cat", "train/dog/2.png": "dog"}
    assert labelled(*paths, split="test") == {"test/cat/3.png": "cat", "test/dog/4.png": "dog"}
    assert told(*paths) == "2 classes, 2 train, 2 test, 1 stray picture ignored: overview.png"


@pytest.mark.parametrize(
    "name", ["test", "Tests", "testing", "val", "valid", "eval", "evaluation", "test_set", "val2017"]
)
def test_names_of_the_test_split(name):
    paths = ["train/cat/1.png", "train/dog/2.png", f"{name}/cat/3.png", f"{name}/dog/4.png"]
    assert list(labelled(*paths)) == paths[:2] and list(labelled(*paths, split="test")) == paths[2:]


def test_unlabelled_pictures_beside_train_are_neither():
    paths = ["train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "test/dog/4.png", "unlabeled/5.png", "notes/6.png"]
    assert list(labelled(*paths)) == paths[:2] and list(labelled(*paths, split="test")) == paths[2:4]
    assert told(*paths) == "2 classes, 2 train, 2 test, 2 stray pictures ignored, the first: unlabeled/5.png"
    only = ["train/cat/1.png", "train/dog/2.png", "unlabeled/cat/3.png"]
    assert labelled(*only) == {"train/cat/1.png": "cat", "train/dog/2.png": "dog"}


def test_splits_in_each_class():
    paths = ["cat/train/1.png", "cat/test/2.png", "dog/train/3.png", "dog/test/4.png"]
    assert labelled(*paths) == {"cat/train/1.png": "cat", "dog/train/3.png": "dog"}
    assert labelled(*paths, split="test") == {"cat/test/2.png": "cat", "dog/test/4.png": "dog"}


def test_folders_in_a_class_are_of_the_class():
    paths = ["cat/day1/1.png", "cat/day2/2.png", "dog/day1/3.png", "dog/4.png"]
    assert list(labelled(*paths).values()) == ["cat", "cat", "dog", "dog"]
    paths = ["cat/images/1.png", "dog/images/2.png"]
    assert list(labelled(*paths).values()) == ["cat", "dog"]
    paths = ["train/cat/images/1.png", "train/dog/images/2.png", "val/cat/images/3.png"]
    assert list(labelled(*paths).values()) == ["cat", "dog"] and list(labelled(*paths, split="test").values()) == [
        "cat"
    ]


def test_outer_folders_are_passed_over():
    assert list(labelled("flowers/rose/1.png", "flowers/tulip/2.png").values()) == ["rose", "tulip"]
    paths = ["d/train/images/cat/1.png", "d/train/images/dog/2.png", "d/test/images/cat/3.png"]
    assert list(labelled(*paths).values()) == ["cat", "dog"] and list(labelled(*paths, split="test").values()) == [
        "cat"
    ]
    assert list(labelled("x.png", "d/train/cat/1.png", "d/train/dog/2.png", "d/test/cat/3.png").values()) == [
        "cat",
        "dog",
    ]


@pytest.mark.parametrize("flat", ["val/1.png", "val/images/1.png"])
def test_a_flat_val_beside_a_labelled_train_has_no_labels(flat):
    paths = ["train/cat/1.png", "train/dog/2.png", flat]
    assert labelled(*paths) == {"train/cat/1.png": "cat", "train/dog/2.png": "dog"}
    assert labelled(*paths, split="test") == {flat: None}
    assert told(*paths) == "2 classes, 2 train, 1 test without labels"


def test_a_val_beside_a_test_is_not_used():
    assert told("train/1.png", "test/2.png", "val/3.png") == "no classes, 1 train, 1 test, 1 val not used"


def test_two_spellings_of_an_accent_are_one_class():
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    paths = [f"{composed}/1.png", f"{decomposed}/2.png", "tea/3.png"]
    assert list(labelled(*paths).values()) == [composed, composed, "tea"]


@pytest.mark.parametrize(
    "paths",
    [
        [f"{i}.png" for i in range(9)],
        ["cat/1.png", "dog/2.png", "cow/3.png"],
        ["train/cat/1.png", "train/dog/2.png"],
        ["1.png"],
    ],
)
def test_pretraining_needs_no_test(paths):
    assert list(labelled(*paths, holdout=0.1)) == paths
    assert ", no test" in told(*paths, holdout=0.1)
    with pytest.raises(
        NoSplit, match='no picture is left for split "test" of pictures; add a test/ folder or change holdout=0.1'
    ):
        select(paths, "test")


def test_a_test_without_train():
    with pytest.raises(NoSplit, match='no picture is left for split "train" of pictures; add a train/ folder'):
        select(["test/cat/1.png", "val/cat/2.png"], "train")


def test_the_lines_of_the_page_on_data_are_what_is_said():
    page = (pathlib.Path(__file__).resolve().parents[3] / "docs" / "data.md").read_text()
    rows = re.findall(r"^\| (`[^|]*\.jpg`[^|]*) \| ([^|]*classes[^|]*) \|$", page, re.M)
    assert len(rows) > 10
    for files, said in rows:
        assert told(*re.findall(r"`([^`]*)`", files)) == said


def test_numbered_folders_without_a_train_are_classes():
    assert list(labelled("test1/1.png", "test2/2.png").values()) == ["test1", "test2"]
    assert labelled("train-0/1.png", "train-1/2.png") == {"train-0/1.png": None, "train-1/2.png": None}
