import os
import pickle

import numpy as np
import pytest
from pictures import encode, picture
from PIL import Image

from jssl.data import open_source, stack
from jssl.data.files.shares import evenly_spaced


def test_order_labels_and_pixels(tree):
    source = open_source(f"folder:{tree}", "train")
    assert (len(source), source.about.class_names, source.about.num_classes) == (12, ("ant", "cat", "dog"), 3)
    # dog was written first (pictures 0-3) and is sorted last
    numbers = [4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3]
    fields = stack(source)
    np.testing.assert_array_equal(fields["image"], np.stack([picture(i) for i in numbers]))
    assert fields["size"].tolist() == [[16, 16]] * 12 and fields["label"].dtype == np.int32
    assert fields["label"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
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


def test_files_of_any_size(ragged):
    """The rule of the canvas, and the true sizes."""
    tree, sizes = ragged

    def canvas(options=""):
        source = open_source(f"folder:{tree}{options}", "train")
        fields = stack(source)  # says so if an example is not what the spec says
        expected = [sizes.get(f"train/{name}/{i}.png", (16, 16)) for name in ("ant", "cat", "dog") for i in range(4)]
        assert fields["size"].tolist() == [list(size) for size in expected]
        return source.spec["image"].shape

    assert canvas() == (256, 256, 3)  # they differ
    assert canvas("?image_size=20") == (20, 20, 3)
    shape = (10, 30)
    for i, path in enumerate(sorted((tree / "train").glob("*/*.png"))):
        path.write_bytes(encode(picture(i, 30)[: shape[0]]))
    sizes |= {str(path.relative_to(tree)): shape for path in (tree / "train").glob("*/*.png")}
    assert canvas() == (10, 30, 3)  # all of one size: as they are
    np.testing.assert_array_equal(open_source(f"folder:{tree}", "train")[3]["image"], picture(3, 30)[:10])


def test_the_canvas_shows_the_whole_picture(tree):
    half = np.zeros((20, 60, 3), np.uint8)
    half[:, :30] = 255
    (tree / "train" / "cat" / "1.png").write_bytes(encode(half))
    example = open_source(f"folder:{tree}?image_size=12", "train")[5]
    assert (example["image"][:, :5] == 255).all() and not example["image"][:, 7:].any()
    assert example["size"].tolist() == [20, 60] and example["size"].dtype == np.int32


def test_a_size_that_the_sample_did_not_meet_is_no_error(tmp_path):
    """300 files, of which 256 are sampled; the others may have any size."""
    sampled = set(evenly_spaced(300))
    other = next(i for i in range(300) if i not in sampled)
    for i in range(300):
        (tmp_path / f"{i:03}.png").write_bytes(encode(picture(i, 30 if i == other else 8)))
    source = open_source(f"folder:{tmp_path}?holdout=0", "train")
    assert source.spec["image"].shape == source[other]["image"].shape == (8, 8, 3)
    assert source[other]["size"].tolist() == [30, 30] and source[other - 1]["size"].tolist() == [8, 8]


def test_without_classes_there_is_no_label(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(encode(picture(i)))
    source = open_source(f"folder:{tmp_path}?holdout=0", "train")
    assert source[0].keys() == source.spec.keys() == {"image", "size"}
    assert source.about.class_names == () and source.about.num_classes == 0


def test_pictures_beside_the_class_folders_are_left_out(tree):
    whole = open_source(f"folder:{tree}", "train")
    assert whole.summary == f"folder:{tree}: 3 classes, 12 train, 6 test"
    for name in ("x", "y"):
        (tree / "train" / f"{name}.png").write_bytes(encode(picture(77)))
    source = open_source(f"folder:{tree}", "train")
    assert source.summary == f"{whole.summary}, 2 stray pictures ignored, the first: train/x.png"
    assert source.names == whole.names and source.about == whole.about


@pytest.fixture
def damaged(tree):
    """The tree with a PNG cut in half and one that is empty."""
    whole = tree / "train" / "cat" / "1.png"
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (tree / "train" / "dog" / "3.png").write_bytes(b"")
    return tree


def test_corrupt_images_raise_and_name_the_file(damaged):
    source = open_source(f"folder:{damaged}", "train")
    for run in (lambda: source[5], lambda: stack(source)):
        with pytest.raises(ValueError, match=r'cannot read .*cat/1\.png: .*use on_error="skip"') as caught:
            run()
        assert "\n" not in str(caught.value)


def test_corrupt_images_are_skipped_and_counted(damaged):
    source = open_source(f"folder:{damaged}?on_error=skip", "train")
    assert not source.replaced
    for _ in range(2):  # always by the same neighbour, counted once
        np.testing.assert_array_equal(source[5]["image"], source[6]["image"])
        assert source[5]["label"] == 1 and len(source.replaced) == 1
    images = stack(source)["image"]
    np.testing.assert_array_equal(images[11], images[0])  # the last one's neighbour is the first
    assert source.replaced == {5, 11}


def test_a_file_that_vanishes_is_a_corrupt_one(tree):
    skip, strict = (open_source(f"folder:{tree}?on_error={policy}", "train") for policy in ("skip", "raise"))
    (tree / "train" / "ant" / "0.png").unlink()
    np.testing.assert_array_equal(skip[0]["image"], skip[1]["image"])
    with pytest.raises(ValueError, match=r"cannot read .*ant/0\.png: .*No such file"):
        strict[0]


def test_a_bomb_is_an_unreadable_file(tree, monkeypatch):
    (tree / "train" / "cat" / "1.png").write_bytes(encode(picture(0, 24)))
    for bound in (500, 256):  # Pillow warns, and Pillow raises
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", bound)
        with pytest.raises(ValueError, match=r"cannot read .*cat/1\.png: .*DecompressionBomb") as caught:
            open_source(f"folder:{tree}", "train")[5]
        assert "\n" not in str(caught.value)
        source = open_source(f"folder:{tree}?on_error=skip", "train")
        assert source.spec["image"].shape == (16, 16, 3) and source[5]["size"].tolist() == [16, 16]
        assert source.replaced == {5}


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
    assert source.about.class_names == ("ant", "bee", "cat", "dog") and len(source) == 16


def test_a_copy_in_another_process_reads_the_same(tree):
    source = open_source(f"folder:{tree}", "train")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source))[3]["image"], source[3]["image"])


def test_the_whole_folder(tree):
    """Every picture in the order of its name, none held out."""
    source = open_source(f"folder:{tree}", "all")
    assert source.names == sorted(str(path.relative_to(tree)) for path in tree.glob("*/*/*.png"))
    names = source.about.class_names
    assert [name.split("/")[1] for name in source.names] == [names[example["label"]] for example in source]
    (tree / "overview.png").write_bytes(encode(picture(0)))
    stray = open_source(f"folder:{tree}", "all")
    assert stray.names == ["overview.png", *source.names] and "label" not in stray.spec


def test_a_glob(tree):
    source = open_source(f"folder:{tree}/train/*/[01].png?holdout=0")
    assert source.names == [f"{name}/{i}.png" for name in ("ant", "cat", "dog") for i in (0, 1)]
    assert source.about.class_names == ("ant", "cat", "dog")
    assert len(open_source(f"folder:{tree}/**/3.png", "all")) == 3
    with pytest.raises(ValueError, match=r"no image in .*/\*\.jpg; expected"):
        open_source(f"folder:{tree}/*.jpg")
    odd = tree.rename(tree.parent / "photos [1]")  # a folder of that name is no glob
    assert len(open_source(f"folder:{odd}", "all")) == 18


def test_a_list_of_files(tree):
    names = ["train/dog/2.png", "test/cat/1.png", "train/cat/0.png"]
    (tree / "list.txt").write_text("\n".join(names) + "\r\n\n")
    source = open_source(f"files:{tree}/list.txt", "all")
    assert source.names == names and source.about.class_names == ("cat", "dog")
    np.testing.assert_array_equal(source[0]["image"], picture(2))
    (tree / "list.txt").write_text(f"{tree}/train/dog/2.png\nno.png\nneither.png")
    with pytest.raises(ValueError, match=r"no\.png, one of 2 that .*list\.txt names, is not there"):
        open_source(f"files:{tree}/list.txt")
    (tree / "list.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"list .*list\.txt is empty"):
        open_source(f"files:{tree}/list.txt")
    with pytest.raises(ValueError, match=r"cannot read the list .*nothing\.txt: .*; give a text file"):
        open_source(f"files:{tree}/nothing.txt")


def test_formats_that_are_not_read_are_told(tmp_path):
    (tmp_path / "IMG_1.HEIC").write_bytes(b"x")
    with pytest.raises(
        ValueError, match=r"no picture in .* is read, such as IMG_1\.HEIC; convert them to \.jpg or \.png"
    ):
        open_source(f"folder:{tmp_path}")
    (tmp_path / "a.jpg").write_bytes(encode(picture(0), "JPEG"))
    told = "no classes, 1 train, no test, 1 picture of unread format ignored: IMG_1.HEIC"
    assert open_source(f"folder:{tmp_path}").summary == f"folder:{tmp_path}: {told}"


def test_a_workdir_in_the_folder_is_no_data(tree):
    names = open_source(f"folder:{tree}", "all").names
    (tree / "runs" / "first" / "checkpoints").mkdir(parents=True)
    (tree / "runs" / "first" / "views.png").write_bytes(encode(picture(0)))
    assert len(open_source(f"folder:{tree}", "all")) == len(names) + 1
    (tree / "runs" / "first" / "config.json").write_text("{}")
    assert open_source(f"folder:{tree}", "all").names == names
