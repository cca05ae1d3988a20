import json
import pathlib
import pickle

import jax
import make_tfds
import numpy as np
import pytest
from make_tfds import NoImages, OnlyTrain, PartlyLabelled, TinyShapes, prepare
from pictures import encode, picture

from jssl.data import GrainFeed, ResidentFeed, open_source, stack


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture(scope="module")
def tiny(folder):
    return prepare(TinyShapes, folder)


def test_reads_a_prepared_folder(tiny):
    source = open_source(f"tfds:{tiny}", "train")
    stored = {image.tobytes(): i for i, image in enumerate(map(picture, range(16)))}
    numbers = [stored[example["image"].tobytes()] for example in source]  # TFDS shuffles when it writes
    assert sorted(numbers) == list(range(12))
    assert [example["label"] for example in source] == [i % 3 for i in numbers]
    fields = stack(source)
    np.testing.assert_array_equal(fields["image"], np.stack([picture(i) for i in numbers]))
    assert fields["label"].dtype == np.int32 and source.about.class_names == ("0", "1", "2")
    assert fields["size"].tolist() == [[16, 16]] * 12
    test = open_source(f"tfds:{tiny}", "test")
    assert sorted(stored[example["image"].tobytes()] for example in test) == [12, 13, 14, 15]
    assert source.fingerprint == open_source(f"tfds:{tiny}", "train").fingerprint != test.fingerprint


def test_by_name_and_data_dir(tiny, folder):
    assert len(open_source(f"tfds:tiny_shapes?data_dir={folder}", "train")) == 12
    assert len(open_source(f"tfds:tiny_shapes:1.0.0:test?data_dir={folder}", "train")) == 4
    assert len(open_source(f"tfds:tiny_shapes:train[:50%]?data_dir={folder}", "test")) == 6


def test_train_alone_is_held_out_from(folder):
    path = prepare(OnlyTrain, folder)
    train, test = (open_source(f"tfds:{path}?holdout=0.25", split) for split in ("train", "test"))
    seen = [{example["image"].tobytes() for example in source} for source in (train, test)]
    assert [len(x) for x in seen] == [15, 5] and not seen[0] & seen[1]


def test_resize_and_feeds(tiny):
    mesh = jax.make_mesh((2, 1), ("data", "fsdp"), devices=jax.devices()[:2])
    source = open_source(f"tfds:{tiny}?image_size=8", "train")
    batches = zip(
        range(3), *(kind(source, mesh, seed=0, global_batch=4).iterate() for kind in (ResidentFeed, GrainFeed))
    )
    for _, a, b in batches:
        assert a["image"].shape == (4, 8, 8, 3)
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_a_copy_in_another_process_reads_the_same(tiny):
    source = open_source(f"tfds:{tiny}", "train")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source))[3]["image"], source[3]["image"])


def test_corrupt_records(folder, monkeypatch):
    cut = encode(picture(5))[:300]
    monkeypatch.setattr(make_tfds, "encode", lambda pixels: cut if pixels[0, 0, 0] == 5 else encode(pixels))
    path = prepare(TinyShapes, folder / "broken")
    with pytest.raises(ValueError, match=r"cannot read example \d+ of .* train: not a whole image"):
        stack(open_source(f"tfds:{path}", "train"))
    source = open_source(f"tfds:{path}?on_error=skip", "train")
    fields = stack(source)
    (bad,) = source.replaced
    for array in fields.values():
        np.testing.assert_array_equal(array[bad], array[(bad + 1) % 12])


def test_files_of_any_size(folder, monkeypatch):
    shapes = {i: (8 + i, 40 - 2 * i) for i in range(16)}
    monkeypatch.setattr(make_tfds, "picture", lambda i: picture(i, 40)[: shapes[i][0], : shapes[i][1]])
    path = prepare(TinyShapes, folder / "ragged")
    source = open_source(f"tfds:{path}", "train")
    assert source.spec["image"].shape == (256, 256, 3)
    sizes = [tuple(size) for size in stack(source)["size"].tolist()]
    assert sorted(sizes) == sorted(shapes[i] for i in range(12)) and len(set(sizes)) == 12
    assert [int(example["label"]) for example in source] == [(size[0] - 8) % 3 for size in sizes]


def test_splits_without_labels(folder):
    """TFDS has -1 where a split was published without labels."""
    source = open_source(f"tfds:{prepare(PartlyLabelled, folder)}:test")
    assert source[0].keys() == source.spec.keys() == {"image", "size"} and source.about.num_classes == 0
    mixed = open_source(f"tfds:{prepare(PartlyLabelled, folder)}:train")
    with pytest.raises(ValueError, match="cannot read example .*: it has no label, unlike others of its split"):
        stack(mixed)


def test_tfrecord_needs_tensorflow_and_the_message_says_so(tiny, folder, tmp_path):
    copy = tmp_path / "tiny_shapes" / "1.0.0"
    copy.mkdir(parents=True)
    for file in pathlib.Path(tiny).iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    info = json.loads((copy / "dataset_info.json").read_text())
    info["fileFormat"] = "tfrecord"
    (copy / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(ValueError, match=r"stored as TFRecord, .*tfds build .* --file_format=array_record") as caught:
        open_source(f"tfds:{copy}", "train")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "spec, message",
    [
        ("tfds:no_such_thing", "cannot open data set no_such_thing: Dataset no_such_thing not found; check its name"),
        ("tfds:{folder}/nothing", "cannot open data set .*nothing"),
        ("tfds:mnist?data_dir={folder}", "data set mnist is not prepared in .*run `tfds build mnist --file_format"),
        ("tfds:tiny_shapes:dev?data_dir={folder}", "cannot open data set tiny_shapes: .*dev"),
        (
            "tfds:tiny_shapes:train[:0]?data_dir={folder}",
            "cannot open data set tiny_shapes: .*; check its name and split",
        ),
    ],
)
def test_bad_names(spec, message, tiny, folder):
    with pytest.raises(ValueError, match=message) as caught:
        open_source(spec.format(folder=folder), "train")
    assert "\n" not in str(caught.value)


def test_no_images(folder):
    path = prepare(NoImages, folder)
    with pytest.raises(ValueError, match="has no image feature; it has x"):
        open_source(f"tfds:{path}", "train")


def test_the_whole(tiny, folder):
    source = open_source(f"tfds:{tiny}", "all")
    stored = {image.tobytes(): i for i, image in enumerate(map(picture, range(16)))}
    numbers = [stored[example["image"].tobytes()] for example in source]
    assert sorted(numbers) == list(range(16)) and [example["label"] for example in source] == [i % 3 for i in numbers]
    assert source.names is None
    partly = open_source(f"tfds:{prepare(PartlyLabelled, folder)}", "all")
    assert len(partly) == 10 and "label" not in partly.spec
