import json
import pickle
import tarfile

import numpy as np
import pytest
from archives import pack
from pictures import encode, picture
from PIL import Image

from jssl.data import open_source
from jssl.data.images.caption_table import read_table
from jssl.data.images.captions import CaptionsSource
from jssl.data.source import stack
from jssl.data.text.tokenizers import make

LINES = [
    (f"pictures/{i}.png", f'a "{word}", number {i}', f"kind {i % 3}") for i, word in enumerate(["cat", "dog"] * 10)
]
LINES.insert(5, ("pictures/3.png", "another one", "kind 0"))
LINES.append(("./pictures/3.png", "a third", "kind 0"))


@pytest.fixture
def table(tmp_path):
    """Twenty pictures and their table; picture 3 has three captions."""
    (tmp_path / "pictures").mkdir()
    for i in range(20):
        (tmp_path / "pictures" / f"{i}.png").write_bytes(encode(picture(i)))
    write(tmp_path / "table.csv", LINES)
    return tmp_path / "table.csv"


def write(path, lines, header=("file", "caption", "kind")):
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in line) for line in (header, *lines)]
    path.write_text("\n".join(quoted) + "\n", encoding="utf-8")


def texts(example):
    return [make("bytes").decode(row) for row in example["captions"]]


def test_examples_are_pictures_with_their_captions(table):
    source = CaptionsSource(table, holdout=0, length=40)
    assert len(source) == 20 and source.spec["captions"].shape == (3, 40)
    assert (source.about.vocabulary, source.about.tokenizer, source.about.class_names) == (259, "bytes", ())
    for i in range(20):
        example = source[i]
        assert example.keys() == source.spec.keys() and "label" not in example
        np.testing.assert_array_equal(example["image"], picture(i))
        assert example["captions"].dtype == np.int32 and example["captions"][0, 0] == 1
        first = f'a "{"dog" if i % 2 else "cat"}", number {i}'
        assert texts(example) == ([first, "another one", "a third"] if i == 3 else [first, "", ""])
        assert i == 3 or not example["captions"][1:].any()
    assert stack(source)["captions"].shape == (20, 3, 40)


def test_number_of_captions(table):
    assert texts(CaptionsSource(table, holdout=0, captions=1)[3]) == ['a "dog", number 3']
    assert texts(CaptionsSource(table, holdout=0, captions=2)[3]) == ['a "dog", number 3', "another one"]
    assert texts(CaptionsSource(table, holdout=0, captions=4)[3])[3] == ""
    # The most of any picture, not of any in this split.
    assert CaptionsSource(table, "test").spec["captions"].shape == (3, 128)


def test_long_captions_are_cut_and_ended(table):
    source = CaptionsSource(table, holdout=0, length=6)
    assert source[0]["captions"][0].tolist() == [1, *make("bytes").encode('a "c'), 2]


def test_labels(table):
    source = open_source(f"captions:{table}?label_column=kind&holdout=0")
    assert source.about.class_names == ("kind 0", "kind 1", "kind 2")
    assert [int(source[i]["label"]) for i in range(20)] == [i % 3 for i in range(20)]
    assert source.spec["label"].shape == ()


def test_splits_hold_other_pictures(table):
    splits = [CaptionsSource(table, split, holdout=0.25, label_column="kind") for split in ("train", "test")]
    assert [len(source) for source in splits] == [15, 5]
    assert len({*splits[0].names, *splits[1].names}) == 20
    assert splits[0].about == splits[1].about and splits[0].spec == splits[1].spec
    assert splits[0].fingerprint != splits[1].fingerprint


@pytest.mark.parametrize("name", ["files.tar", "files.tar.gz"])
def test_pictures_in_an_archive(table, name):
    with tarfile.open(table.parent / name, "w:gz" if name.endswith("gz") else "w") as archive:
        archive.add(table.parent / "pictures", "pictures")
    for file in (table.parent / "pictures").iterdir():
        file.unlink()
    source = CaptionsSource(table, images=name)
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again[2]["image"], picture(2))
    np.testing.assert_array_equal(open_source(f"captions:{table}?images={table.parent / name}")[2]["image"], picture(2))
    (table.parent / "pictures").rmdir()
    with pytest.raises(
        ValueError, match="pictures/0.png, one of 18 that .*table.csv names, is not in .*; give images="
    ):
        CaptionsSource(table)


def test_pictures_in_another_folder(table):
    (table.parent / "pictures").rename(table.parent / "elsewhere")
    write(table, [(file.removeprefix("pictures/"), *rest) for file, *rest in LINES if "./" not in file])
    np.testing.assert_array_equal(CaptionsSource(table, images="elsewhere")[4]["image"], picture(4))


def test_modes_and_transparency(tmp_path):
    Image.new("RGBA", (6, 6), (255, 0, 0, 0)).save(tmp_path / "a.png")
    Image.new("P", (6, 6), 0).save(tmp_path / "b.png")
    Image.new("LA", (6, 6), (100, 255)).save(tmp_path / "c.png")
    write(tmp_path / "t.csv", [("a.png", "a"), ("b.png", "b"), ("c.png", "c")], ("file", "caption"))
    source = CaptionsSource(tmp_path / "t.csv", holdout=0)
    assert [source[i]["image"][0, 0].tolist() for i in range(3)] == [[255] * 3, [0] * 3, [100] * 3]


def test_captions_follow_the_picture_that_is_seen(table):
    """Pictures 4 and 5 are unreadable: 6 stands for both, with its own captions and label."""
    for i in (4, 5):
        (table.parent / "pictures" / f"{i}.png").write_bytes(b"no picture")
    options = {"holdout": 0, "label_column": "kind", "captions": 1}
    with pytest.raises(ValueError, match="cannot read pictures/4.png"):
        CaptionsSource(table, **options)[4]
    (table.parent / "pictures" / "5.png").unlink()
    with pytest.raises(ValueError, match="pictures/5.png, one of 1 that"):
        CaptionsSource(table, **options)
    source = CaptionsSource(table, on_error="skip", **options)
    for i in (5, 4):
        np.testing.assert_array_equal(source[i]["image"], picture(6))
        assert texts(source[i]) == ['a "cat", number 6'] and source[i]["label"] == 0
    assert source.replaced == {4, 5}
    assert texts(source[3]) == ['a "dog", number 3']


def test_fingerprint_is_that_of_content(table):
    first = CaptionsSource(table)
    assert CaptionsSource(table).fingerprint == first.fingerprint
    for options in ({"length": 20}, {"captions": 1}, {"label_column": "kind"}, {"holdout": 0.2}):
        assert CaptionsSource(table, **options).fingerprint != first.fingerprint
    write(table, [(LINES[0][0], "another cat", LINES[0][2]), *LINES[1:]])
    assert CaptionsSource(table).fingerprint != first.fingerprint


def test_tables_say_the_same_in_every_format(table):
    entries = read_table(str(table), "file", "caption", "kind")
    assert list(entries)[:5] == [f"pictures/{i}.png" for i in range(5)] and len(entries["pictures/3.png"].captions) == 3
    lines = [{"file": f, "caption": e.captions, "kind": e.label} for f, e in entries.items()]
    jsonl = table.with_suffix(".jsonl")
    jsonl.write_text("\n\n".join(map(json.dumps, lines)))
    assert read_table(str(jsonl), "file", "caption", "kind") == entries
    jsonl.write_text("\n".join(json.dumps({"kind": k, "caption": c, "file": f}) for f, c, k in LINES))
    assert read_table(str(jsonl), "file", "caption", "kind") == entries
    tsv = table.with_suffix(".tsv")
    tsv.write_text("\ufeffcaption\tfile\n" + "".join(f"{c.replace(chr(34), chr(39))}\t{f}\n" for f, c, _ in LINES))
    assert read_table(str(tsv), "file", "caption")["pictures/0.png"].captions == ["a 'cat', number 0"]


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("t.csv", "", "table .*t.csv names no picture"),
        ("t.csv", "file,caption\n", "table .*t.csv names no picture"),
        ("t.csv", "file,captoin\na.png,x\n", "line 2 of .*t.csv has no column \"caption\"; did you mean 'captoin'"),
        ("t.csv", "file,caption\na.png,x\nb.png\n", "line 3 of .*t.csv has no caption; write it, or take the line out"),
        ("t.csv", "file,caption\n,x\n", "line 2 of .*t.csv has no file"),
        ("t.csv", 'file,caption\na.png,"x\n', "cannot read table .*t.csv: "),
        ("t.csv", b"file,caption\na.png,\xff\n", "cannot read table .*t.csv: .*in UTF-8"),
        ("t.jsonl", "{", "cannot read table .*t.jsonl: "),
        ("t.jsonl", "[1]", "line 1 of .*t.jsonl is not a JSON object"),
        ("t.jsonl", '{"file": "a.png", "caption": []}', "line 1 of .*t.jsonl has no caption"),
        ("t.jsonl", '{"file": "a.png", "caption": ["x", 3]}', "line 1 of .*t.jsonl has no caption"),
        ("t.txt", "x", "t.txt is not called .csv, .tsv or .jsonl"),
    ],
)
def test_bad_tables(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message) as caught:
        CaptionsSource(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_one_picture_has_one_label(table):
    write(table, [*LINES, ("pictures/3.png", "x", "kind 1")])
    with pytest.raises(ValueError, match="line 24 of .* puts pictures/3.png in kind 1, an earlier one in kind 0"):
        CaptionsSource(table, label_column="kind")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"split": "dev"}, 'split is "dev"'),
        ({"holdout": 1.5}, "holdout is 1.5"),
        ({"split": "test", "holdout": 0}, 'no picture is left for split "test"'),
        ({"captions": 0}, "captions is 0"),
        ({"length": 2}, "row of 2 tokens has no room"),
        ({"tokenizer": 'chars:"ab"'}, "pads with None"),
        ({"file_column": "files"}, "no column \"files\"; did you mean 'file'"),
        ({"label_column": "class"}, 'no column "class"'),
    ],
)
def test_bad_options(table, options, message):
    with pytest.raises(ValueError, match=message):
        CaptionsSource(table, **options)
    with pytest.raises(ValueError, match="cannot read table .*none.csv: .*No such file"):
        open_source("captions:none.csv")


def test_shards_hold_pictures_and_captions_side_by_side(tmp_path):
    for shard in range(2):
        members = {}
        for i in range(5 * shard, 5 * shard + 5):
            members[f"{i}.png"] = encode(picture(i))
            if i == 3:
                members["3.json"] = json.dumps({"caption": "number three", "label": "odd"}).encode()
            elif i != 7:  # which has no caption
                members[f"{i}.txt"] = f"number {i}".encode()
                members[f"{i}.cls"] = (b"even", b"odd")[i % 2]
        pack(tmp_path / f"shard-{shard}.tar", members)
    source = open_source(f"captions:{tmp_path}/shard-*.tar?label_column=cls", "all", length=20)
    assert list(source.names)[2:4] == ["shard-0.tar/2.png", "shard-0.tar/3.png"] and len(source) == 9
    numbers = [0, 1, 2, 3, 4, 5, 6, 8, 9]
    said = ["number three" if i == 3 else f"number {i}" for i in numbers]
    assert [texts(example) for example in source] == [[text] for text in said]
    assert [int(example["label"]) for example in source] == [i % 2 for i in numbers]
    for i, example in zip(numbers, source):
        np.testing.assert_array_equal(example["image"], picture(i))
    assert "label" not in open_source(f"captions:{tmp_path}/shard-0.tar", "all").spec


def test_shards_without_what_is_asked_for(tmp_path):
    pack(tmp_path / "a.tar", {"1.png": encode(picture(1)), "1.txt": b"one"})
    pack(tmp_path / "b.tar", {"1.png": encode(picture(1))})
    with pytest.raises(ValueError, match="no archive matches .*c.tar"):
        CaptionsSource(f"{tmp_path}/c.tar")
    with pytest.raises(
        ValueError, match="no picture with a caption in .*b.tar; expected members such as 17.jpg and 17.txt"
    ):
        CaptionsSource(f"{tmp_path}/b.tar")
    with pytest.raises(ValueError, match="1.png in .*a.tar has a caption but no class; leave label_column out"):
        CaptionsSource(f"{tmp_path}/a.tar", label_column="cls")
    with pytest.raises(ValueError, match='label_column is "kind"; in archives'):
        CaptionsSource(f"{tmp_path}/a.tar", label_column="kind")
