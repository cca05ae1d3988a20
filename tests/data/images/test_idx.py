import gzip
import struct

import numpy as np
import pytest

from jssl.data import open_source, stack


def write(path, array, *, magic=None, announced=None):
    header = bytes([0, 0, 8, array.ndim]) if magic is None else magic
    data = header + struct.pack(f">{array.ndim}I", *(announced or array.shape)) + array.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture
def digits(tmp_path):
    """12 train and 4 test images of 28 x 28, the train files compressed."""
    rng = np.random.default_rng(0)
    for prefix, count, end in (("train", 12, ".gz"), ("t10k", 4, "")):
        write(tmp_path / f"{prefix}-images-idx3-ubyte{end}", rng.integers(0, 256, (count, 28, 28), np.uint8))
        write(tmp_path / f"{prefix}-labels-idx1-ubyte{end}", (np.arange(count) % 4).astype(np.uint8))
    return tmp_path


def test_reads_both_splits(digits):
    source = open_source(f"idx:{digits}", "train")
    expected = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
    fields = stack(source)
    np.testing.assert_array_equal(fields["image"], np.repeat(expected[..., None], 3, -1))
    assert fields["size"].tolist() == [[28, 28]] * 12
    assert fields["label"].tolist() == [0, 1, 2, 3] * 3 and source.about.class_names == ("0", "1", "2", "3")
    assert len(open_source(f"idx:{digits}", "test")) == 4


def test_other_spelling(digits):
    (digits / "t10k-images-idx3-ubyte").rename(digits / "t10k-images.idx3-ubyte")
    assert len(open_source(f"idx:{digits}", "test")) == 4


def test_options(digits):
    source = open_source(f"idx:{digits}?image_size=32&limit=8", "train")
    fields = stack(source)
    assert fields["image"].shape == (8, 32, 32, 3) and np.bincount(fields["label"]).tolist() == [2] * 4
    assert fields["size"].tolist() == [[28, 28]] * 8  # of the file
    assert (fields["image"] == fields["image"][..., :1]).all() and fields["image"].std() > 20
    for size in (0, -3):
        with pytest.raises(ValueError, match=f"image_size is {size}; use at least 1"):
            open_source(f"idx:{digits}?image_size={size}", "train")


def test_bad_files(digits):
    images = digits / "t10k-images-idx3-ubyte"
    whole = images.read_bytes()
    cases = [
        (whole[:-1], "announces .* but holds 3135 values"),
        (b"\x00\x00\x08\x01" + whole[4:], "starts with 00000801, .* with 00000803"),
        (whole[:10], "starts with"),
        (b"", "starts with"),
        (gzip.compress(whole)[:500], "cannot read .*t10k-images"),
    ]
    for data, message in cases:
        images.write_bytes(data)
        with pytest.raises(ValueError, match=message):
            open_source(f"idx:{digits}", "test")
    write(images, np.zeros((5, 28, 28), np.uint8))
    with pytest.raises(ValueError, match="5 t10k images but 4 labels"):
        open_source(f"idx:{digits}", "test")
    images.unlink()
    with pytest.raises(ValueError, match=r"no file t10k-images-idx3-ubyte or .*\.gz in "):
        open_source(f"idx:{digits}", "test")
