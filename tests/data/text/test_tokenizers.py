import json
import pickle
import sys

import numpy as np
import pytest

from jssl.data.text import tokenizers
from jssl.data.text.tokenizers import chars_spec, make, row

TEXT = "Grüße, naïve 日本 \U0001f600!\n\ttwo  spaces"


def test_bytes_are_utf8_after_three_special_ids():
    bytewise = make("bytes")
    ids = bytewise.encode(TEXT)
    assert ids.dtype == np.int32 and ids.tolist() == [3 + b for b in TEXT.encode()]
    assert bytewise.decode(ids) == TEXT and bytewise.encode("").shape == (0,) and bytewise.decode([]) == ""
    assert (bytewise.vocabulary, bytewise.pad, bytewise.bos, bytewise.eos) == (259, 0, 1, 2)
    assert make(bytewise.spec).spec == bytewise.spec == "bytes"


@pytest.mark.parametrize("spec", ["bytes", 'chars:"ab"'])
def test_decoding_never_fails(spec):
    tokenizer = make(spec)
    assert "�" in tokenizer.decode([tokenizer.vocabulary, -1, 2**31 - 1])
    for ids in np.random.default_rng(0).integers(-5, tokenizer.vocabulary + 5, (200, 20)):
        assert isinstance(tokenizer.decode(ids), str)


def test_special_bytes_say_nothing_and_broken_ones_are_marked():
    assert make("bytes").decode([1, 107, 108, 2, 0, 0]) == "hi"
    assert make("bytes").decode([107, 300, 108]) == "h�i"
    assert make("bytes").decode([0xC3 + 3, 107]) == "�h"


def test_chars_number_their_characters():
    spec = chars_spec(TEXT)
    tokenizer = make(spec)
    distinct = sorted(set(TEXT))
    assert tokenizer.vocabulary == len(distinct) and tokenizer.pad is tokenizer.bos is tokenizer.eos is None
    ids = tokenizer.encode(TEXT)
    assert ids.dtype == np.int32 and [distinct[i] for i in ids] == list(TEXT)
    assert tokenizer.decode(ids) == TEXT and tokenizer.spec == spec and spec.isascii()
    assert chars_spec(reversed(TEXT)) == spec
    for strange in ("Q", "\U0010ffff"):
        with pytest.raises(ValueError, match="has no character '.*'; collect its characters from this text too"):
            tokenizer.encode("two " + strange)


def test_own_tokenizers_are_pickled():
    for spec in ("bytes", 'chars:"abc"'):
        assert pickle.loads(pickle.dumps(make(spec))).encode("abc").tolist() == make(spec).encode("abc").tolist()


@pytest.mark.parametrize(
    "spec, message",
    [
        ("byte", "no tokenizer \"byte\"; did you mean 'bytes'"),
        ("chars", "made from a text, by text:<files>.tokenizer=chars"),
        ("chars:abc", 'not "chars:" and a JSON string'),
        ('chars:"aa"', 'not "chars:" and a JSON string of distinct'),
        ('chars:""', 'not "chars:" and a JSON string'),
        ("chars:[1]", 'not "chars:" and a JSON string'),
        ("nowhere/tokenizer.json", "cannot read tokenizer nowhere/tokenizer.json: No such file"),
    ],
)
def test_bad_specs(spec, message):
    with pytest.raises(ValueError, match=message) as caught:
        make(spec)
    assert "\n" not in str(caught.value)


def test_rows():
    bytewise = make("bytes")
    whole = row(bytewise, "ab", 8)
    assert whole.dtype == np.int32 and whole.tolist() == [1, 100, 101, 2, 0, 0, 0, 0]
    assert row(bytewise, "abcdef", 5).tolist() == [1, 100, 101, 102, 2]  # cut, but ended
    assert row(bytewise, "abc", 5).tolist() == [1, 100, 101, 102, 2]
    assert row(bytewise, "", 3).tolist() == [1, 2, 0]
    with pytest.raises(ValueError, match='filled up with 0, and tokenizer chars:"ab" pads with None'):
        row(make('chars:"ab"'), "ab", 8)
    with pytest.raises(ValueError, match="row of 2 tokens has no room"):
        row(bytewise, "ab", 2)


def words_file(file):
    """Words, in the format of Hugging Face; returns the path."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "star", "two"]
    added = [
        {"id": i, "content": word, "special": True}
        | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        for i, word in enumerate(words[:4])
    ]
    model = {"type": "WordLevel", "vocab": {word: i for i, word in enumerate(words)}, "unk_token": "[UNK]"}
    file.write_text(
        json.dumps({"version": "1.0", "added_tokens": added, "pre_tokenizer": {"type": "Whitespace"}, "model": model})
    )
    return str(file)


@pytest.fixture
def tokenizer_file(tmp_path):
    words_file(tmp_path / "words.json")
    return tmp_path / "words.json"


def test_hugging_face(tokenizer_file):
    tokenizer = make(str(tokenizer_file))
    assert tokenizer.encode("two red star").tolist() == [6, 4, 5] and tokenizer.encode("two").dtype == np.int32
    assert tokenizer.decode([2, 6, 4, 5, 3]) == "two red star" and tokenizer.decode([6, 99]) == "two�"
    assert (tokenizer.vocabulary, tokenizer.pad, tokenizer.bos, tokenizer.eos) == (7, 0, 2, 3)
    assert row(tokenizer, "two red star", 6).tolist() == [2, 6, 4, 5, 3, 0]
    again = pickle.loads(pickle.dumps(tokenizer))
    assert "_rust" not in again.__dict__ and again.encode("star").tolist() == [5]
    assert make(tokenizer.spec).spec == tokenizer.spec


def test_a_file_that_has_changed_is_refused(tokenizer_file):
    spec = make(str(tokenizer_file)).spec
    assert make(spec).spec == spec
    tokenizer_file.write_text(tokenizer_file.read_text() + " ")
    with pytest.raises(ValueError, match="has changed since it was used"):
        make(spec)


def test_without_the_package(tokenizer_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(
        ValueError, match="needs the package tokenizers, which is not installed; pip install tokenizers"
    ):
        make(str(tokenizer_file)).encode("two")
    assert tokenizers.make("bytes").vocabulary == 259  # which needs nothing


def test_no_tokenizer_file(tmp_path):
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ValueError, match="is no Hugging Face tokenizer file"):
        make(str(tmp_path / "x.json")).encode("two")
