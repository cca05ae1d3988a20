import multiprocessing
import os
import pickle
import threading

import numpy as np
import pytest

from jssl.data import open_source
from jssl.data.source import stack
from jssl.data.text import token_cache
from jssl.data.text.rows import TextSource
from jssl.data.text.tokenizers import make


def text_of(number, size):
    """A text with accents, line ends and a length that no block divides."""
    words = np.array(["to", "be", "or", "not", "naïve", "日本", "\n", "Rose;"])
    return " ".join(words[np.random.default_rng(number).integers(0, len(words), size)])


@pytest.fixture
def files(tmp_path):
    """Three documents, and where their tokens may be kept."""
    texts = [text_of(i, size) for i, size in enumerate((60, 3, 90))]
    for name, text in zip("abc", texts):
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return tmp_path, texts


def opened(folder, split="train", **options):
    return TextSource(f"{folder}/*.txt", split, cache=str(folder / "cache"), **options)


def joined(source):
    """The tokens and segments of all rows, without padding."""
    rows = stack(source)
    kept = rows["segments"] > 0
    return rows["tokens"][kept], rows["segments"][kept]


def test_rows_are_the_text_and_splits_are_its_first_and_last_characters(files):
    folder, texts = files
    whole = "".join(texts)
    cut = int(len(whole) * 0.9)
    for tokenizer in ("bytes", "chars"):
        for split, part in (("train", whole[:cut]), ("test", whole[cut:])):
            source = opened(folder, split, tokenizer=tokenizer, length=32)
            tokens, _ = joined(source)
            made = make(source.about.tokenizer)
            assert made.decode(tokens) == part and made.vocabulary == source.about.vocabulary
            ends = 0 if tokenizer == "chars" else (2 if split == "train" else 1)  # c is cut: it ends in test only
            assert len(tokens) == len(made.encode(part)) + ends
            assert len(source) == -(-len(tokens) // 32)
    assert opened(folder, tokenizer="chars").about.vocabulary == len(set(whole))


def test_examples_are_what_the_spec_says(files):
    source = open_source(f"text:{files[0]}/*.txt?length=16&cache={files[0]}/cache")
    example = source[3]
    assert {name: (field.shape, field.dtype) for name, field in source.spec.items()} == {
        name: (value.shape, value.dtype) for name, value in example.items()
    }
    assert example.keys() == {"tokens", "segments"} and example["tokens"].dtype == np.int32
    with pytest.raises(IndexError):
        source[len(source)]
    np.testing.assert_array_equal(source[-1]["tokens"], source[len(source) - 1]["tokens"])


def test_segments_number_the_documents_of_a_row(files):
    folder, texts = files
    source = opened(folder, length=64, holdout=0)
    lengths = [len(text.encode()) + 1 for text in texts]  # each with its end
    document = np.repeat(np.arange(3), lengths)
    tokens = np.concatenate([np.append(make("bytes").encode(text), 2) for text in texts])
    seen = set()
    for i in range(len(source)):
        own = document[i * 64 : (i + 1) * 64]
        padding = 64 - len(own)
        assert source[i]["segments"].tolist() == [*(own - own[0] + 1), *[0] * padding]
        assert source[i]["tokens"].tolist() == [*tokens[i * 64 : (i + 1) * 64], *[0] * padding]
        seen.add(source[i]["segments"].max())
    assert padding and seen >= {1, 3}


def test_documents_may_be_shorter_than_a_row(files):
    rows = opened(files[0], length=2000, holdout=0)
    assert len(rows) == 1 and set(rows[0]["segments"]) == {0, 1, 2, 3}


@pytest.mark.parametrize("length, stride", [(9, 1), (9, 8), (9, 9), (9, 4)])
def test_stride(files, length, stride):
    tokens, _ = joined(opened(files[0], length=100))
    source = opened(files[0], length=length, stride=stride)
    starts = np.arange(len(source)) * stride
    assert (
        starts[-1] + length >= len(tokens) > starts[-2] + length
    )  # the last row reaches the end, the one before does not
    for i in (0, 1, len(source) // 2, len(source) - 1):
        own = tokens[i * stride : i * stride + length]
        assert source[i]["tokens"].tolist()[: len(own)] == own.tolist()
    if stride == 1:
        assert len(source) == len(tokens) - length + 1  # every window once, none filled up
    if stride == length - 1:  # every token but the first is the target of one position
        targets = [source[i]["tokens"][1:][source[i]["segments"][1:] > 0] for i in range(len(source))]
        assert np.concatenate(targets).tolist() == tokens[1:].tolist()


def test_tokens_are_made_once_and_mapped(files, monkeypatch):
    folder, _ = files
    first = opened(folder)
    monkeypatch.setattr(token_cache, "_tokenise", None)  # whoever calls it fails
    again, other = opened(folder), opened(folder, "test", length=8, stride=2)
    np.testing.assert_array_equal(first[0]["tokens"], again[0]["tokens"])
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert isinstance(again._mapped[0].base, np.memmap) and again._mapped[0].dtype == np.uint16
    (cache,) = (folder / "cache").iterdir()
    assert cache.stat().st_mode and not list((folder / "cache").glob(".*"))


def test_the_cache_goes_by_content(files, tmp_path_factory):
    folder, texts = files
    first = opened(folder)
    moved = tmp_path_factory.mktemp("moved")
    for name, text in zip("abc", texts):
        (moved / f"{name}.txt").write_text(text, encoding="utf-8")
    assert opened(moved).fingerprint == first.fingerprint
    for options in ({"tokenizer": "chars"}, {"holdout": 0.2}, {"length": 100}, {"stride": 7}, {"split": "test"}):
        assert opened(folder, **options).fingerprint != first.fingerprint
    text = (folder / "b.txt").read_text(encoding="utf-8")
    (folder / "b.txt").write_text(text[::-1], encoding="utf-8")  # of the same size
    changed = opened(folder)
    assert changed.fingerprint != first.fingerprint
    assert text[::-1] in make("bytes").decode(joined(changed)[0])


def test_default_cache(files, monkeypatch):
    folder, _ = files
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "xdg"))
    TextSource(f"{folder}/a.txt")
    assert len(list((folder / "xdg" / "jssl" / "tokens").iterdir())) == 1
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(folder / "home"))
    TextSource(f"{folder}/a.txt")
    assert len(list((folder / "home" / ".cache" / "jssl" / "tokens").iterdir())) == 1


def test_large_vocabularies_take_int32(tmp_path):
    text = "".join(map(chr, range(0x20000, 0x20000 + 66_000)))
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    source = TextSource(f"{tmp_path}/a.txt", tokenizer="chars", length=1000, cache=str(tmp_path / "cache"))
    assert source.about.vocabulary == 66_000 and source._mapped[0].dtype == np.int32
    assert source[1]["tokens"].tolist() == list(range(1000, 2000))


def test_blocks_break_characters_and_lines(files, monkeypatch):
    folder, _ = files
    rows = stack(opened(folder, holdout=0.3))
    for block, piece in ((1, 7), (5, 1 << 24), (1000, 3)):
        monkeypatch.setattr(token_cache, "_BLOCK", block)
        monkeypatch.setattr(token_cache, "_PIECE", piece)
        source = TextSource(f"{folder}/*.txt", holdout=0.3, cache=str(folder / f"cache{block}"))
        for name, array in stack(source).items():
            np.testing.assert_array_equal(array, rows[name])


def test_pieces_end_where_lines_do(files, monkeypatch):
    monkeypatch.setattr(token_cache, "_BLOCK", 40)
    seen = []
    pieces = list(token_cache._pieces(str(files[0] / "c.txt"), seen.append))
    assert "".join(pieces) == files[1][2] and len(pieces) > 3 and all(piece.endswith("\n") for piece in pieces[:-1])
    assert sum(seen) == os.path.getsize(files[0] / "c.txt")


def test_a_bar_is_shown_for_large_texts_only(files, monkeypatch, capsys):
    opened(files[0])
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(token_cache, "_SHOWN", 1)
    opened(files[0], tokenizer="chars")
    out, err = capsys.readouterr()
    assert out == "" and "tokenising" in err


def rows_of(source):
    return [source[i]["tokens"].tolist() for i in range(3)]


def test_sources_are_pickled_without_their_text(tmp_path):
    (tmp_path / "a.txt").write_text("to be " * 20_000)
    source = TextSource(f"{tmp_path}/a.txt", cache=str(tmp_path / "cache"))
    expected = rows_of(source)
    assert len(pickle.dumps(source)) < 2000
    assert rows_of(pickle.loads(pickle.dumps(source))) == expected
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(rows_of, (source,)) == expected


def test_several_may_make_one_cache_at_once(files, monkeypatch):
    """Both have found none and both make it: the second to finish takes the first one's."""
    folder, _ = files
    both, publish = threading.Barrier(2), token_cache._publish

    def together(temporary, whole):
        both.wait()
        publish(temporary, whole)

    monkeypatch.setattr(token_cache, "_publish", together)
    found = []
    threads = [threading.Thread(target=lambda: found.append(joined(opened(folder))[0].tolist())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 and found[0] == found[1]
    assert len(os.listdir(folder / "cache")) == 1  # nothing half made is left


def test_a_text_that_cannot_be_tokenised_leaves_no_cache(files):
    folder, _ = files
    (folder / "d.txt").write_bytes(b"fine \xff")
    with pytest.raises(ValueError, match="d.txt as text: byte 5 is not UTF-8; convert the file"):
        opened(folder)
    assert os.listdir(folder / "cache") == []


def test_a_damaged_cache_is_named(files):
    folder, _ = files
    opened(folder)
    (cache,) = (folder / "cache").iterdir()
    with open(cache / "train.tokens", "r+b") as file:
        file.truncate(100)
    with pytest.raises(ValueError, match=f"token cache {cache} is damaged .*; delete it, and it is made again"):
        opened(folder)
    (cache / "about.json").unlink()
    with pytest.raises(ValueError, match="is damaged"):
        opened(folder)


def test_a_cache_that_cannot_be_written(files):
    (files[0] / "cache").write_text("a file")
    with pytest.raises(
        ValueError, match="cannot write the token cache in .*cache: .*; name another with cache=<folder>"
    ):
        opened(files[0])


def test_late_bad_bytes_are_placed(tmp_path, monkeypatch):
    monkeypatch.setattr(token_cache, "_BLOCK", 4)
    (tmp_path / "a.txt").write_bytes("abcé".encode() + b"f\x80")  # a block breaks the accent
    with pytest.raises(ValueError, match="byte 6 is not UTF-8"):
        opened(tmp_path)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "no text in .*a.txt; the files are empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "cannot read .*a.txt as text: byte 0 is not UTF-8"),
        (b"abc\0def", "cannot read .*a.txt as text: it holds zero bytes, as binary files do"),
        ("abc".encode("utf-16"), "cannot read .*a.txt as text: byte 0 is not UTF-8"),
        ("caf\u00e9".encode()[:-1], "cannot read .*a.txt as text: byte 3 is not UTF-8"),
        (b"a", 'no text is left for split "train" of .*a.txt; change holdout=0.1'),
    ],
)
def test_files_that_are_no_text(tmp_path, content, message):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        TextSource(f"{tmp_path}/a.txt", cache=str(tmp_path / "cache"))
    assert "\n" not in str(caught.value)


def test_empty_documents_are_none(files):
    folder, _ = files
    rows = stack(opened(folder, holdout=0))
    (folder / "b0.txt").write_text("")
    for name, array in stack(opened(folder, holdout=0)).items():
        np.testing.assert_array_equal(array, rows[name])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"length": 1}, "length=1, stride=1; use a length of at least 2"),
        ({"length": 8, "stride": 9}, "length=8, stride=9; .* a stride from 1 to length"),
        ({"stride": 0}, "stride=0"),
        ({"holdout": 1}, "holdout is 1; use a fraction"),
        ({"split": "dev"}, 'split is "dev"'),
        ({"split": "test", "holdout": 0}, 'no text is left for split "test" .* change holdout=0'),
        ({"tokenizer": "byte"}, "did you mean 'bytes'"),
        ({"tokenizer": 'chars:"abc"'}, "the tokenizer has no character"),
    ],
)
def test_bad_options(files, options, message):
    with pytest.raises(ValueError, match=message):
        opened(files[0], **options)


def test_paths(files):
    folder, texts = files
    cache = str(folder / "cache")
    (folder / "more").mkdir()
    (folder / "more" / "x[1].txt").write_text("odd name")

    def text(pattern):
        return make("bytes").decode(joined(TextSource(pattern, holdout=0, cache=cache))[0])

    assert text(f"{folder}/c.txt, {folder}/a.txt,{folder}/*.txt") == texts[2] + texts[0] + texts[1]
    assert text(f"{folder}/**/*.txt") == "".join(texts) + "odd name"
    assert text(f"{folder}/more/x[1].txt") == "odd name"
    with pytest.raises(ValueError, match="more is a folder; write .*more/[*].txt"):
        text(f"{folder}/more")
    with pytest.raises(ValueError, match="no file matches .*none.txt; give the path"):
        text(f"{folder}/a.txt,{folder}/none.txt")


def test_a_tokenizer_file_is_part_of_the_cache(files):
    from test_tokenizers import words_file

    folder, _ = files
    source = opened(folder, tokenizer=words_file(folder / "words.json"), length=16)
    assert source.about.tokenizer.startswith(f"{folder}/words.json#") and source.about.vocabulary == 7
    assert source[0]["tokens"].max() < 7 and 3 in joined(source)[0]  # documents end with [SEP]
