import gzip
import json
import pickle
import tarfile

import numpy as np
import pytest
from archives import labels, pack
from pictures import encode, picture

from jssl.data import open_source, stack


def pack_folder(path, mode, folder):
    with tarfile.open(path, mode) as archive:
        archive.add(folder, arcname=".")
    return path


@pytest.mark.parametrize("kind", ["", ":gz", ":bz2", ":xz"])
def test_same_as_the_folder(tree, tmp_path, kind):
    path = pack_folder(tmp_path / f"all.tar{kind.replace(':', '.')}", f"w{kind}", tree)
    for split in ("train", "test"):
        source, folder = open_source(f"tar:{path}", split), open_source(f"folder:{tree}", split)
        assert source.about == folder.about and source.spec == folder.spec
        position = {name: i for i, name in enumerate(source.names)}
        order = [position[name] for name in folder.names]
        fields, expected = stack(source), stack(folder)
        for name in ("image", "size", "label"):
            np.testing.assert_array_equal(fields[name][order], expected[name])


@pytest.mark.parametrize("kind", ["", ":gz"])
def test_files_of_any_size(ragged, tmp_path, kind):
    tree, sizes = ragged
    source = open_source(f"tar:{pack_folder(tmp_path / 'all.tar', f'w{kind}', tree)}", "train")
    assert source.spec["image"].shape == (256, 256, 3)
    for name, size in zip(source.names, stack(source)["size"].tolist()):
        assert tuple(size) == sizes.get(name, (16, 16))


def test_archives_keep_their_order(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for number, name in enumerate(["b/9.png", "a/1.png", "b/0.png"]):
            (tmp_path / "x.png").write_bytes(encode(picture(number)))
            archive.add(tmp_path / "x.png", arcname=name)
    source = open_source(f"tar:{tmp_path}/a.tar?holdout=0", "train")
    np.testing.assert_array_equal(stack(source)["image"], np.stack([picture(i) for i in range(3)]))
    assert source.names == ["b/9.png", "a/1.png", "b/0.png"] and stack(source)["label"].tolist() == [1, 0, 1]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_globs_and_lists_of_archives(tree, tmp_path, mode):
    for split in ("train", "test"):
        for name in ("ant", "cat", "dog"):
            with tarfile.open(tmp_path / f"{split}_{name}.tar", mode) as archive:
                archive.add(tree / split / name, arcname=f"{split}/{name}")
    by_glob = open_source(f"tar:{tmp_path}/*.tar", "train")
    assert len(by_glob) == 12 and by_glob.about.class_names == ("ant", "cat", "dog")
    assert len(open_source(f"tar:{tmp_path}/*.tar", "test")) == 6
    assert len(open_source(f"tar:{tmp_path}/train_?nt.tar,{tmp_path}/*_dog.tar", "train")) == 8
    # the same file matched twice is one file
    assert len(open_source(f"tar:{tmp_path}/train_ant.tar,{tmp_path}/*.tar", "train")) == 12


def test_options(tree, tmp_path):
    path = pack_folder(tmp_path / "all.tar.gz", "w:gz", tree)
    source = open_source(f"tar:{path}?image_size=20&limit=6", "train")
    fields = stack(source)
    assert fields["image"].shape == (6, 20, 20, 3) and np.bincount(fields["label"]).tolist() == [2, 2, 2]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_corruptmembers(tree, tmp_path, mode):
    whole = tree / "train" / "cat" / "1.png"
    whole.write_bytes(whole.read_bytes()[:-100])
    path = pack_folder(tmp_path / "all.tar", mode, tree)
    with pytest.raises(ValueError, match=r"cannot read train/cat/1\.png"):
        stack(open_source(f"tar:{path}", "train"))
    source = open_source(f"tar:{path}?on_error=skip", "train")
    fields = stack(source)
    bad = source.names.index("train/cat/1.png")
    assert source.replaced == {bad}
    for array in fields.values():
        np.testing.assert_array_equal(array[bad], array[(bad + 1) % 12])


def test_bad_archives(tree, tmp_path):
    with pytest.raises(ValueError, match="no archive matches .*nothing.*; give the path or glob"):
        open_source(f"tar:{tmp_path}/nothing*.tar")
    (tmp_path / "a.tar").write_bytes(b"this is no archive" * 100)
    with pytest.raises(ValueError, match=r"cannot read archive .*a\.tar"):
        open_source(f"tar:{tmp_path}/a.tar")
    whole = pack_folder(tmp_path / "b.tar.gz", "w:gz", tree).read_bytes()
    (tmp_path / "c.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cannot read archive .*c\.tar\.gz"):
        open_source(f"tar:{tmp_path}/c.tar.gz")
    (tmp_path / "d.tar.gz").write_bytes(gzip.compress(b"not a tar file" * 100))
    with pytest.raises(ValueError, match=r"cannot read archive .*d\.tar\.gz"):
        open_source(f"tar:{tmp_path}/d.tar.gz")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "readme.txt").write_text("no image")
    pack_folder(tmp_path / "e.tar", "w", tmp_path / "text")
    with pytest.raises(ValueError, match=r"no image in .*e\.tar; expected members such as"):
        open_source(f"tar:{tmp_path}/e.tar")


def test_a_plain_archive_cut_short(tree, tmp_path):
    whole = pack_folder(tmp_path / "b.tar", "w", tree).read_bytes()
    (tmp_path / "c.tar").write_bytes(whole[: len(whole) // 2 + 700])
    with pytest.raises(ValueError, match=r"cannot read archive .*c\.tar|cannot read "):
        stack(open_source(f"tar:{tmp_path}/c.tar", "train"))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_copy_in_another_process_reads_the_same(tree, tmp_path, mode):
    source = open_source(f"tar:{pack_folder(tmp_path / 'all.tar', mode, tree)}", "train")
    source[0]  # opens the file
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(stack(copy)["image"], stack(source)["image"])


def test_one_archive_per_class(tmp_path):
    for name, count in (("cat", 3), ("dog", 2)):
        pack(tmp_path / f"{name}.tar", {f"{i}.png": encode(picture(i)) for i in range(count)})
    source = open_source(f"tar:{tmp_path}/*.tar?holdout=0")
    assert labels(source) == {f"cat/{i}.png": "cat" for i in range(3)} | {f"dog/{i}.png": "dog" for i in range(2)}
    assert source.summary == f"tar:{tmp_path}/*.tar: 2 classes, 5 train, no test"


def test_one_archive_per_split(tmp_path):
    for split, count in (("train", 3), ("val", 2)):
        members = {f"{name}/{i}.png": encode(picture(i)) for name in ("cat", "dog") for i in range(count)}
        pack(tmp_path / f"{split}.tar.gz", members, "w:gz")
    assert len(open_source(f"tar:{tmp_path}/*", "train")) == 6
    assert len(labels(open_source(f"tar:{tmp_path}/*", "test"))) == 4


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_webdataset_shards(tmp_path, mode):
    """Keys end at the first dot, and labels keep their number, whichever occur."""
    for shard in range(2):
        members = {}
        for i in range(3):
            members |= {f"{shard}{i}.seg.png": encode(picture(i)), f"{shard}{i}.txt": b"a picture"}
            members[f"{shard}{i}.cls"] = f"{2 * i}\n".encode()
        pack(tmp_path / f"train-{shard:04}.tar", members, mode)
    source = open_source(f"tar:{tmp_path}/train-*.tar?holdout=0")
    assert source.about.class_names == tuple("01234")
    assert labels(source) == {name: str(2 * int(name.split("/")[-1][1])) for name in source.names}


def test_labels_in_json(tmp_path):
    told = [{"label": 1, "url": "x"}, {"class": 0}, {"cls": "1"}]
    members = {}
    for i, fields in enumerate(told):
        members |= {f"{i}.json": json.dumps(fields).encode(), f"{i}.jpg": encode(picture(i), "JPEG")}
    path = pack(tmp_path / "a.tar", members)
    assert list(labels(open_source(f"tar:{path}?holdout=0")).values()) == ["1", "0", "1"]
    others = {"0.json": b"[1", "1.json": b"[]", "2.json": b"{}"}
    path = pack(tmp_path / "b.tar", members | others)
    source = open_source(f"tar:{path}?holdout=0")
    assert len(source) == 3 and "label" not in source.spec


def test_shards_of_pictures_alone_are_no_classes(tmp_path):
    for shard in (3, 4):
        pack(tmp_path / f"{shard:05}.tar", {f"{shard}{i}.png": encode(picture(i)) for i in range(2)})
    source = open_source(f"tar:{tmp_path}/*.tar?holdout=0")
    assert source.names == ["30.png", "31.png", "40.png", "41.png"] and "label" not in source.spec


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_links(tmp_path, mode):
    members = {
        "a/first.png": (tarfile.SYMTYPE, "../b/2.png"),
        "a/1.png": encode(picture(1)),
        "a/again.png": (tarfile.LNKTYPE, "a/1.png"),
        "b/2.png": encode(picture(2)),
        "c": (tarfile.SYMTYPE, "b"),
        "a/twice.png": (tarfile.SYMTYPE, "first.png"),
        "a/lost.png": (tarfile.SYMTYPE, "../../elsewhere.png"),
        "a/circle.png": (tarfile.SYMTYPE, "circle.png"),
    }
    path = pack(tmp_path / "a.tar", members, mode)
    source = open_source(f"tar:{path}?holdout=0")
    assert source.names == ["a/first.png", "a/1.png", "a/again.png", "b/2.png", "c/2.png", "a/twice.png"]
    for name, number in zip(source.names, (2, 1, 1, 2, 2, 2)):
        np.testing.assert_array_equal(source[source.names.index(name)]["image"], picture(number))
    assert source.about.class_names == ("a", "b", "c")
    assert source.summary.endswith(f", 2 dead links ignored, the first: a/lost.png in {path}")


def test_names_with_brackets(tmp_path):
    folder = tmp_path / "shards [1]"
    folder.mkdir()
    for shard in range(2):
        pack(folder / f"a[x]-{shard}.tar", {f"{shard}.png": encode(picture(shard))})
    for pattern in (f"{folder}/*.tar", f"{folder}/a[x]-?.tar", f"{folder}/a[x]-0.tar,{folder}/a[x]-1.tar"):
        assert open_source(f"tar:{pattern}?holdout=0").names == ["0.png", "1.png"]


def test_errors_name_the_archive(tmp_path):
    path = pack(tmp_path / "a.tar", {"x/1.png": b"<html>", "y/2.png": encode(picture(0))})
    with pytest.raises(ValueError, match=r"cannot read x/1\.png in .*a\.tar: not a whole image .*b'<html>'") as caught:
        open_source(f"tar:{path}?holdout=0")[0]
    assert "BytesIO" not in str(caught.value)
    pack(path, {})
    with pytest.raises(ValueError, match=r"no image in .*a\.tar"):
        open_source(f"tar:{path}")
