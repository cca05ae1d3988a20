"""Files of features: what is read back, in each format; and what is left where writing fails, which is nothing."""

import json
import resource
import sys

import numpy as np
import pyarrow.parquet
import pytest

from jssl.report.feature_file import Examples, FeatureFile

FEATURES = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
LABELS = np.array([0, 1, 1, 0, 1, 0, 0], np.int32)
NAMES = ["a/1.png", "a/2.png", "a/a long name.png", "b/é.png", "b/\udce9.png", "b/,\n.png", "c.png"]


def parts(features=FEATURES, labels=LABELS, size=3):
    for start in range(0, len(features), size):
        part = {"features": features[start : start + size]}
        yield part if labels is None else part | {"label": labels[start : start + size]}


def write(path, *arguments, **known):
    with FeatureFile(path) as file:
        return file.write(parts(*arguments), Examples(7, **known))


def test_npz(tmp_path):
    assert write(tmp_path / "x.npz", names=NAMES, class_names=("cat", "dog")) == (7, 3)
    with np.load(tmp_path / "x.npz") as file:  # without pickle
        np.testing.assert_array_equal(file["features"], FEATURES)
        np.testing.assert_array_equal(file["labels"], LABELS)
        assert file["features"].dtype == np.float32 and file["names"].tolist() == NAMES
        assert file["class_names"].tolist() == ["cat", "dog"]


def test_npy_is_mapped_and_has_a_json_beside_it(tmp_path):
    write(tmp_path / "x.npy", names=NAMES, class_names=("cat", "dog"))
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy", mmap_mode="r"), FEATURES)
    beside = json.loads((tmp_path / "x.json").read_text())
    assert beside == {"names": NAMES, "labels": LABELS.tolist(), "class_names": ["cat", "dog"]}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.json", "x.npy"]


@pytest.mark.parametrize("group", [1, 1 << 20])
def test_parquet(tmp_path, monkeypatch, group):
    monkeypatch.setattr("jssl.report.feature_file._ROW_GROUP", group)
    write(tmp_path / "x.parquet", names=NAMES, class_names=("cat", "dog"))
    with pyarrow.parquet.ParquetFile(tmp_path / "x.parquet") as file:
        assert file.num_row_groups == (3 if group == 1 else 1)
        table = file.read()
    np.testing.assert_array_equal(table["features"].to_pylist(), FEATURES)
    assert table["label"].to_pylist() == LABELS.tolist() and table["class"].to_pylist()[:3] == ["cat", "dog", "dog"]
    assert table["name"].to_pylist() == [*NAMES[:4], "b/\\udce9.png", *NAMES[5:]]


@pytest.mark.parametrize("ending", ["npz", "npy", "parquet"])
def test_tokens_without_labels_and_names(tmp_path, ending):
    tokens = np.arange(7 * 2 * 3, dtype=np.float32).reshape(7, 2, 3)
    assert write(tmp_path / f"x.{ending}", tokens, None) == (7, 2, 3)
    if ending == "parquet":
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(tmp_path / "x.parquet")
        assert table.column_names == ["features"]
        read = table["features"].to_pylist()
    elif ending == "npz":
        with np.load(tmp_path / "x.npz") as file:
            assert file.files == ["features"]
            read = file["features"]
    else:
        read = np.load(tmp_path / "x.npy")
        assert json.loads((tmp_path / "x.json").read_text()) == {}
    np.testing.assert_array_equal(read, tokens)


@pytest.mark.parametrize("out", ["w", "w.txt", "w.npz.gz"])
def test_the_ending_says_the_format(tmp_path, out):
    with pytest.raises(ValueError, match=r"its ending says the format; use one of .npz, .npy, .parquet"):
        FeatureFile(tmp_path / out)


@pytest.mark.parametrize(("out", "reason"), [("no/x.npz", "No such file"), ("folder.npz", "Is a directory")])
def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path, out, reason):
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(OSError, match=f"{out} cannot be written: {reason}"), FeatureFile(tmp_path / out):
        raise AssertionError("too late")


@pytest.mark.parametrize("ending", ["npz", "npy", "parquet"])
def test_a_failure_leaves_what_was_there(tmp_path, ending):
    def broken():
        yield {"features": FEATURES}
        raise ValueError("cannot read b.png")

    (tmp_path / f"x.{ending}").write_text("old")
    with pytest.raises(ValueError, match=r"cannot read b\.png"), FeatureFile(tmp_path / f"x.{ending}") as file:
        file.write(broken(), Examples(14, names=["a"] * 14))
    assert (tmp_path / f"x.{ending}").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("ending", ["npz", "npy", "parquet"])
def test_a_full_disk_leaves_nothing(tmp_path, ending):
    many = np.random.default_rng(0).standard_normal((7, 100_000)).astype(np.float32)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limit[1]))  # "File too large" after so many bytes
    try:
        with pytest.raises(OSError, match=f"x.{ending} cannot be written: File too large"):
            write(tmp_path / f"x.{ending}", many)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert not list(tmp_path.iterdir())


def test_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"pip install 'jssl\[parquet\]'"):
        FeatureFile(tmp_path / "x.parquet")
