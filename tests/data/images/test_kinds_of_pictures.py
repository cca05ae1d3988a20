"""Whatever pictures people have, through the door that they use: each kind that has gone wrong somewhere, and what is right.

``pytest --collect-only -q`` prints the list.
"""

import os
import tarfile

import numpy as np
import pytest
from archives import labels, pack
from pictures import encode, picture, ramp, save, stored, tiff
from PIL import Image

from jssl.data import NoSplit, open_source, stack

JPEG = {"quality": 95, "subsampling": 0}


def grey(value, *shape):
    return np.full((*(shape or (6, 8)), 3), value, np.uint8)


def write(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


# -- Sizes -------------------------------------------------------------------------------------------------------------

RAGGED = {f"{'cat' if i % 2 else 'dog'}/{i:02}.jpg": (30 + 7 * i, 200 - 9 * i) for i in range(12)}


@pytest.mark.parametrize("kind", ["folder", "tar", "tar.gz", "glob", "list"])
def test_pictures_of_any_size_with_no_option(tmp_path, kind):
    files = {name: encode(picture(i, 240)[:h, :w], "JPEG") for i, (name, (h, w)) in enumerate(RAGGED.items())}
    if kind.startswith("tar"):
        spec = f"tar:{pack(tmp_path / f'a.{kind}', files, 'w:gz' if kind.endswith('gz') else 'w')}"
    else:
        write(tmp_path, files | {"list.txt": "\n".join(RAGGED).encode()})
        spec = {
            "folder": f"folder:{tmp_path}",
            "glob": f"folder:{tmp_path}/**/*.jpg",
            "list": f"files:{tmp_path}/list.txt",
        }[kind]
    source = open_source(spec, "all")
    fields = stack(source)
    assert fields["image"].shape == (12, 256, 256, 3) and set(source.about.class_names) == {"cat", "dog"}
    assert dict(zip(source.names, map(tuple, fields["size"].tolist()))) == RAGGED


# -- Pixels ------------------------------------------------------------------------------------------------------------


def corners():
    colors = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], np.uint8)
    return colors.repeat(16, 0).repeat(32, 1)


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_orientation_in_exif(tmp_path, kind, orientation):
    image, exif = stored(corners(), orientation)
    write(tmp_path, {f"a.{kind.lower()}": save(image, kind, exif=exif, **(JPEG if kind == "JPEG" else {}))})
    example = open_source(f"folder:{tmp_path}")[0]
    assert example["size"].tolist() == [32, 64]
    assert abs(example["image"].astype(int) - corners()).max() < 20


def palette():
    image = Image.new("P", (8, 6), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    return image


def animation(kind):
    frames = [Image.fromarray(grey(value)) for value in (40, 200)]
    return save(frames[0], kind, save_all=True, append_images=frames[1:])


HALF = np.array([[[200, 100, 0, 255]] * 8] * 3 + [[[9, 9, 9, 0]] * 8] * 3, np.uint8)  # the lower half is transparent
UP = np.linspace(0, 255, 64).reshape(8, 8, 1).repeat(3, -1)

PIXELS = {
    "16 bits of grey": (save(Image.fromarray(ramp(0, 65535, np.uint16))), UP),
    "12 bits of grey in 16": (save(Image.fromarray(ramp(0, 4095, np.uint16))), UP),
    "12 bits of grey in a TIFF of 16": (tiff(ramp(0, 4095, np.uint16)), UP),
    "32 bits of grey": (tiff(ramp(0, 2**32 - 1, np.uint32)), UP),
    "32 bits of grey that use few": (tiff(ramp(0, 100_000, np.int32)), UP),
    "grey below zero": (tiff(ramp(-1024, 3071, np.int16)), UP),
    "fractions of 1": (tiff(ramp(0, 1, np.float32)), UP),
    "fractions of any range": (tiff(ramp(-2, 7, np.float32)), UP),
    "two colours": (save(Image.fromarray(UP[..., 0] > 100)), np.where(UP > 100, 255, 0)),
    "a palette": (save(palette()), np.broadcast_to([10, 20, 30], (6, 8, 3))),
    "a palette with a transparent colour": (save(palette(), transparency=1), grey(255)),
    "transparency": (save(Image.fromarray(HALF)), np.where(HALF[..., 3:] > 0, HALF[..., :3], 255)),
    "transparent grey": (save(Image.fromarray(HALF).convert("LA")), None),
    "CMYK": (save(Image.new("CMYK", (8, 6), (0, 255, 255, 0)), "JPEG"), np.broadcast_to([255, 0, 0], (6, 8, 3))),
    "an animated GIF": (animation("GIF"), grey(40)),
    "an animated WebP": (animation("WEBP"), grey(40)),
    "an animated PNG": (animation("PNG"), grey(40)),
    "a TIFF of several pages": (animation("TIFF"), grey(40)),
    "one pixel": (encode(grey(70, 1, 1)), grey(70, 1, 1)),
    "a line of one pixel's height": (encode(grey(70, 1, 900)), grey(70, 1, 900)),
}


@pytest.mark.parametrize("name", PIXELS)
def test_pixels(tmp_path, name):
    encoded, expected = PIXELS[name]
    write(tmp_path, {"a.png": encoded})  # the content says what a file is
    example = open_source(f"folder:{tmp_path}")[0]
    assert example["image"].dtype == np.uint8 and example["image"].shape[-1] == 3
    if expected is not None:
        assert example["size"].tolist() == list(expected.shape[:2])
        assert abs(example["image"].astype(int) - expected).max() < 4
    else:
        assert (example["image"][3:] == 255).all() and (example["image"][:3] < 200).all()


REFUSED = {
    "five bands": (
        tiff(np.zeros((6, 8, 5), np.uint8), extra=[0] * 4),
        "it has 5 bands and RGB would lose some; save those",
    ),
    "RGB and an infrared band": (
        tiff(np.zeros((6, 8, 4), np.uint8), photometric=2, extra=[0]),
        "it has 4 bands and RGB would lose some; save those",
    ),
    "values that are no numbers": (
        tiff(np.array([[0, np.nan]], np.float32)),
        "some of its values are NaN or infinite; save",
    ),
    "a web page": (b"<html>not found", r"not a whole image .*starts with b'<html>no'"),
    "half a picture": (encode(picture(0, 64), "JPEG")[:900], "not a whole image .*truncated"),
    "an empty file": (b"", "not a whole image .*starts with b''"),
    "a bomb": (encode(grey(0, 90, 90)), "not a whole image .*DecompressionBomb.* pixels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_pictures_that_are_refused_in_one_line(tmp_path, name, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 8000)
    encoded, told = REFUSED[name]
    write(tmp_path, {"a.png": encoded, "b.png": encode(grey(5))})
    for spec in (f"folder:{tmp_path}", f"tar:{pack(tmp_path / 'x.tar', {'a.png': encoded, 'b.png': encode(grey(5))})}"):
        with pytest.raises(ValueError, match=rf"cannot read .*a\.png.*: {told}") as caught:
            open_source(spec)[0]
        assert "\n" not in str(caught.value) and "object at" not in str(caught.value)
        source = open_source(f"{spec}?on_error=skip")
        assert (stack(source)["image"] == 5).all() and source.replaced == {0}


# -- Splits and classes ------------------------------------------------------------------------------------------------

CAT, DOG = "cat", "dog"
LAYOUTS = {  # files -> class; what is held out; what is said
    "one stray picture beside train and test": (
        {"train/cat/1.png": CAT, "train/dog/2.png": DOG},
        {"test/cat/3.png": CAT, "test/dog/4.png": DOG},
        ["overview.png"],
        "2 classes, 2 train, 2 test, 1 stray picture ignored: overview.png",
    ),
    "eval beside train": (
        {"train/cat/1.png": CAT, "train/dog/2.png": DOG},
        {"eval/cat/3.png": CAT},
        [],
        "2 classes, 2 train, 1 test",
    ),
    "tests beside train": (
        {"train/cat/1.png": CAT, "train/dog/2.png": DOG},
        {"tests/cat/3.png": CAT},
        [],
        "2 classes, 2 train, 1 test",
    ),
    "unlabeled beside train and test": (
        {"train/cat/1.png": CAT, "train/dog/2.png": DOG},
        {"test/cat/3.png": CAT},
        ["unlabeled/4.png", "unlabeled/5.png"],
        "2 classes, 2 train, 1 test, 2 stray pictures ignored, the first: unlabeled/4.png",
    ),
    "splits in each class": (
        {"cat/train/1.png": CAT, "dog/train/2.png": DOG},
        {"cat/test/3.png": CAT, "dog/test/4.png": DOG},
        [],
        "2 classes, 2 train, 2 test",
    ),
    "days in each class": (
        {"cat/day1/1.png": CAT, "cat/day2/2.png": CAT, "dog/day1/3.png": DOG},
        {},
        [],
        "2 classes, 3 train, no test",
    ),
    "a folder of images in each class": (
        {"cat/images/1.png": CAT, "dog/images/2.png": DOG},
        {},
        [],
        "2 classes, 2 train, no test",
    ),
    "a loose picture among the classes": (
        {f"{name}/{i}.png": name for name in (CAT, DOG) for i in range(9)},
        {f"{name}/9.png": name for name in (CAT, DOG)},
        ["loose.png"],
        "2 classes, 18 train, 2 test, 1 stray picture ignored: loose.png",
    ),
    "a flat val beside a labelled train": (
        {"train/cat/1.png": CAT, "train/dog/2.png": DOG},
        {"val/3.png": None, "val/4.png": None},
        [],
        "2 classes, 2 train, 2 test without labels",
    ),
    "nine loose pictures": ({f"{i}.png": None for i in range(9)}, {}, [], "no classes, 9 train, no test"),
    "one picture of each class": ({"cat/1.png": CAT, "dog/2.png": DOG}, {}, [], "2 classes, 2 train, no test"),
    "a picture alone": ({"1.png": None}, {}, [], "no classes, 1 train, no test"),
}


@pytest.mark.parametrize("kind", ["folder", "tar"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(tmp_path, name, kind):
    train, test, strays, told = LAYOUTS[name]
    files = {path: encode(grey(i)) for i, path in enumerate([*train, *test, *strays])}
    write(
        tmp_path / "photos", files | {".ipynb_checkpoints/x.png": encode(grey(0)), "cat/.thumbs/x.png": encode(grey(0))}
    )
    spec = f"folder:{tmp_path}/photos"
    if kind == "tar":
        with tarfile.open(tmp_path / "photos.tar", "w") as archive:
            archive.add(tmp_path / "photos", arcname=".")
        spec = f"tar:{tmp_path}/photos.tar"
    source = open_source(spec, "train")
    assert labels(source) == train and source.summary == f"{spec}: {told}"
    if test:
        assert labels(open_source(spec, "test")) == test
    else:
        with pytest.raises(NoSplit, match=r'no picture is left for split "test" of \w+:.*photos.*; add a test/ folder'):
            open_source(spec, "test")
    assert sorted(open_source(spec, "all").names) == sorted(files)


def test_two_spellings_of_an_accented_class(tmp_path):
    write(tmp_path, {f"{name}/1.png": encode(grey(0)) for name in ("caf\u00e9", "cafe\u0301", "bar")})
    assert open_source(f"folder:{tmp_path}").about.class_names == ("bar", "caf\u00e9")


# -- Archives ----------------------------------------------------------------------------------------------------------


def test_an_archive_per_class(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "pread")  # Windows has none
    for name in (CAT, DOG):
        pack(tmp_path / f"{name}.tar", {f"{i}.png": encode(grey(i)) for i in range(3)})
    source = open_source(f"tar:{tmp_path}/*.tar")
    assert labels(source) == {f"{name}/{i}.png": name for name in (CAT, DOG) for i in range(3)}
    assert stack(source)["image"][:, 0, 0, 0].tolist() == [0, 1, 2] * 2


@pytest.mark.parametrize("extension, content", [("cls", b"1"), ("json", b'{"label": 1}'), ("txt", b"a cat")])
def test_webdataset(tmp_path, extension, content):
    """In shards of a folder whose name has brackets."""
    folder = tmp_path / "set [v2]"
    folder.mkdir()
    for shard in range(2):
        pairs = {f"{shard}{i}.png": encode(grey(i)) for i in range(2)}
        others = {f"{shard}{i}.{extension}": content.replace(b"1", b"%d" % i) for i in range(2)}
        pack(folder / f"{shard:06}.tar", dict(sorted((pairs | others).items())))
    source = open_source(f"tar:{folder}/*.tar")
    expected = {f"{shard}{i}.png": None if extension == "txt" else str(i) for shard in range(2) for i in range(2)}
    assert labels(source) == expected


def test_links_in_an_archive(tmp_path):
    links = {
        name: (tarfile.SYMTYPE, target) for name, target in (("dog/2.png", "../cat/1.png"), ("dog/3.png", "none.png"))
    }
    path = pack(tmp_path / "a.tar", {"cat/1.png": encode(grey(1)), **links})
    source = open_source(f"tar:{path}")
    assert labels(source) == {"cat/1.png": CAT, "dog/2.png": DOG} and (source[1]["image"] == 1).all()
    assert source.summary.endswith(f"1 dead link ignored: dog/3.png in {path}")
