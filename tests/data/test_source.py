import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pictures import picture

from jssl.data import About, ArraySource, NoSplit, Source, open_source, stack
from jssl.data.registry import parse_spec


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
        ("x", "there are synthetic, tar, folder, files, idx, tfds"),
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
    source = ArraySource({"image": images, "label": [0, 1, 2, 0, 1, 2]}, About(class_names=("x", "y", "z")))
    assert (len(source), source.about.num_classes, source.about.class_names) == (6, 3, ("x", "y", "z"))
    assert not source.replaced
    np.testing.assert_array_equal(source[4]["image"], images[4])
    np.testing.assert_array_equal(source[-2]["image"], images[4])
    assert source[4]["label"] == 1
    assert [int(example["label"]) for example in source] == [0, 1, 2, 0, 1, 2]
    with pytest.raises(IndexError):
        source[6]
    fields = stack(source)
    np.testing.assert_array_equal(fields["image"], images)
    assert fields["label"].tolist() == [0, 1, 2, 0, 1, 2] and fields["label"].dtype == np.int32


def test_array_source_without_labels_has_none():
    source = ArraySource({"image": np.zeros((3, 8, 8, 3), np.uint8)}, About(mean=(0.5,) * 3))
    assert source[1].keys() == source.spec.keys() == {"image"}
    assert source.about.num_classes == 0 and source.about.mean == (0.5,) * 3


def test_array_source_of_any_fields():
    fields = {
        "tokens": np.arange(12, dtype=np.int64).reshape(3, 4),
        "segments": np.ones((3, 4), np.uint8),
        "captions": np.arange(30, dtype=np.uint16).reshape(3, 2, 5),
        "label": np.array([2, 0, 1], np.uint8),
        "pose": np.linspace(0, 1, 21).reshape(3, 7),
        "seen": np.array([True, False, True]),
        "half": jnp.arange(6, dtype=jnp.bfloat16).reshape(3, 2),
        "audio": np.arange(30, dtype=np.int16).reshape(3, 10),
    }
    source = ArraySource(fields)
    types = {name: (field.shape, str(field.dtype)) for name, field in source.spec.items()}
    assert types == {
        "tokens": ((4,), "int32"),
        "segments": ((4,), "int32"),
        "captions": ((2, 5), "int32"),
        "label": ((), "int32"),
        "pose": ((7,), "float32"),
        "seen": ((), "bool"),
        "half": ((2,), "bfloat16"),
        "audio": ((10,), "int16"),
    }
    assert source.about.class_names == ("0", "1", "2")
    for i, example in enumerate(source):
        for name, value in example.items():
            assert isinstance(value, np.ndarray)
            np.testing.assert_array_equal(value, np.asarray(fields[name][i]).astype(source.spec[name].dtype))


def test_array_fingerprints():
    images = np.stack([picture(i, 8) for i in range(6)])
    changed = images.copy()
    changed[5, 7, 7, 2] ^= 1
    labels = np.array([0] * 5 + [1])
    sources = [
        ArraySource({"image": images}),
        ArraySource({"image": changed}),
        ArraySource({"image": images, "label": labels}),
        ArraySource({"image": images, "label": labels}, About(class_names=("a", "b"))),
        ArraySource({"video": images[:, None]}),
        ArraySource({"image": images.reshape(6, 4, 16, 3)}),
    ]
    assert len({source.fingerprint for source in sources}) == 6
    assert ArraySource({"image": images.copy()}).fingerprint == sources[0].fingerprint
    both = [{"image": images, "label": labels}, {"label": labels.astype(np.uint8), "image": images[::-1][::-1]}]
    assert len({ArraySource(fields).fingerprint for fields in both}) == 1


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"image": np.zeros((2, 4, 4, 3), np.float32)}, r"expected uint8 \(N, H, W, 3\)"),
        ({"image": np.zeros((2, 4, 4, 4), np.uint8)}, r"\(2, 4, 4, 4\); expected uint8 \(N, H, W, 3\)"),
        (
            {"image": np.zeros((2, 4, 4), np.uint8)},
            r"expected uint8 \(N, H, W, 3\); repeat a single channel three times",
        ),
        ({"video": np.zeros((2, 4, 4, 3), np.uint8)}, r"expected uint8 \(N, T, H, W, 3\)"),
        ({"image": np.zeros((0, 4, 4, 3), np.uint8)}, "image have no examples; give at least one"),
        ({}, "there are no fields"),
        ({"image": np.zeros((2, 4, 4, 3), np.uint8), "label": [1]}, "differ in length: image has 2, label has 1"),
        ({"label": [[1], [2]]}, r"label is int64 \(2, 1\); expected \(N,\)"),
        ({"label": [0.5, 1.0]}, "label is float64 .*expected integers"),
        ({"label": [0, -1]}, "label -1 is negative; leave the examples that have none out"),
        ({"tokens": np.array([[2**31]])}, r"tokens is int64 \(1, 1\) and holds numbers that do not fit in int32"),
        ({"words": np.array(["a", "b"])}, "words is <U1 .*expected numbers"),
        ({"words": np.array([[1], None], object)}, "words is object .*expected numbers"),
        ({"when": np.zeros(2, "datetime64[s]")}, "when is datetime64.*expected numbers"),
        ({"index": [0, 1]}, "index is the number of an example, which the feeds add"),
        ({"pose": 3.0}, r"pose is float64 \(\); expected one row per example"),
    ],
)
def test_bad_arrays(fields, message):
    with pytest.raises(ValueError, match=message) as caught:
        ArraySource(fields)
    assert "\n" not in str(caught.value)


def test_labels_without_a_name():
    with pytest.raises(ValueError, match="label 2 has no name; there are names for 0 to 1"):
        ArraySource({"label": [0, 2]}, About(class_names=("a", "b")))


class Odd(Source):
    """Gives what it is told to, whatever its spec says."""

    spec = {"x": jax.ShapeDtypeStruct((2,), np.float32), "label": jax.ShapeDtypeStruct((), np.int32)}

    def __init__(self, **example):
        self.example = {"x": np.zeros(2, np.float32), "label": np.asarray(1, np.int32)} | example

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return self.example if index == 3 else {"x": np.full(2, index, np.float32), "label": np.asarray(1, np.int32)}


def test_stack_some_and_all():
    assert stack(Odd())["x"].tolist() == [[0, 0], [1, 1], [2, 2], [0, 0], [4, 4]]
    for threads in (1, 4, None):
        assert stack(Odd(), [4, 1, 1], threads=threads)["x"].tolist() == [[4, 4], [1, 1], [1, 1]]
    assert stack(Odd(), [])["x"].shape == (0, 2)


@pytest.mark.parametrize(
    "example, message",
    [
        ({"x": np.zeros(3, np.float32)}, r"x of example 3 is float32\(3,\), the source's spec says float32\(2,\)"),
        ({"x": np.zeros(2)}, r"x of example 3 is float64\(2,\), the source's spec says float32"),
        ({"y": np.zeros(2)}, r"example 3 has the fields \['label', 'x', 'y'\], not \['label', 'x'\]"),
    ],
)
def test_stack_says_what_breaks_the_spec(example, message):
    with pytest.raises(ValueError, match=message):
        stack(Odd(**example), [1, 3])


def test_the_whole_of_what_is_made_in_two_splits():
    parts = [open_source("synthetic:num_examples=10,image_size=8", split) for split in ("train", "test")]
    source = open_source("synthetic:num_examples=10,image_size=8", "all")
    assert (len(source), source.spec, source.about, source.names) == (12, parts[0].spec, parts[0].about, None)
    for i, example in enumerate([*parts[0], *parts[1]]):
        np.testing.assert_array_equal(source[i]["image"], example["image"])
    assert len({source.fingerprint, *(part.fingerprint for part in parts)}) == 3
    with pytest.raises(IndexError):
        source[12]


def test_the_whole_of_a_text(tmp_path):
    (tmp_path / "a.txt").write_text("to be or not to be" * 10)
    lengths = {}
    for holdout in (0.1, 0):
        spec = f"text:{tmp_path}/a.txt?length=8&cache={tmp_path}/cache&holdout={holdout}"
        lengths[holdout] = len(open_source(spec, "all"))
        if holdout:
            assert lengths[holdout] == len(open_source(spec, "train")) + len(open_source(spec, "test"))
    assert lengths[0] == len(open_source(spec, "train"))
    with pytest.raises(NoSplit, match="no text is left"):
        open_source(spec, "test")
