import gzip
import pickle
import tarfile

import numpy as np
import pytest
from pictures import encode, picture

from jssl.data import open_source, stack


def pack(path, mode, folder):
    with tarfile.open(path, mode) as archive:
        archive.add(folder, arcname=".")
    return path


@pytest.mark.parametrize("kind", ["", ":gz", ":bz2", ":xz"])
def test_same_as_the_folder(tree, tmp_path, kind):
    path = pack(tmp_path / f"all.tar{kind.replace(':', '.')}", f"w{kind}", tree)
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
    source = open_source(f"tar:{pack(tmp_path / 'all.tar', f'w{kind}', tree)}", "train")
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
    path = pack(tmp_path / "all.tar.gz", "w:gz", tree)
    source = open_source(f"tar:{path}?image_size=20&limit=6", "train")
    fields = stack(source)
    assert fields["image"].shape == (6, 20, 20, 3) and np.bincount(fields["label"]).tolist() == [2, 2, 2]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_corruptmembers(tree, tmp_path, mode):
    whole = tree / "train" / "cat" / "1.png"
    whole.write_bytes(whole.read_bytes()[:-100])
    path = pack(tmp_path / "all.tar", mode, tree)
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
    whole = pack(tmp_path / "b.tar.gz", "w:gz", tree).read_bytes()
    (tmp_path / "c.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cannot read archive .*c\.tar\.gz"):
        open_source(f"tar:{tmp_path}/c.tar.gz")
    (tmp_path / "d.tar.gz").write_bytes(gzip.compress(b"not a tar file" * 100))
    with pytest.raises(ValueError, match=r"cannot read archive .*d\.tar\.gz"):
        open_source(f"tar:{tmp_path}/d.tar.gz")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "readme.txt").write_text("no image")
    pack(tmp_path / "e.tar", "w", tmp_path / "text")
    with pytest.raises(ValueError, match=r"no image in .*e\.tar; expected members such as"):
        open_source(f"tar:{tmp_path}/e.tar")


def test_a_plain_archive_cut_short(tree, tmp_path):
    whole = pack(tmp_path / "b.tar", "w", tree).read_bytes()
    (tmp_path / "c.tar").write_bytes(whole[: len(whole) // 2 + 700])
    with pytest.raises(ValueError, match=r"cannot read archive .*c\.tar|cannot read "):
        stack(open_source(f"tar:{tmp_path}/c.tar", "train"))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_copy_in_another_process_reads_the_same(tree, tmp_path, mode):
    source = open_source(f"tar:{pack(tmp_path / 'all.tar', mode, tree)}", "train")
    source[0]  # opens the file
    copy = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(stack(copy)["image"], stack(source)["image"])
