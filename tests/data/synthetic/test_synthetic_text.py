import collections
import pickle
import time

import numpy as np
import pytest

from jssl.data import open_source, stack
from jssl.data.registry import parse_spec
from jssl.data.synthetic.scenes import CAPTIONS, Scene, caption, story
from jssl.data.synthetic.text import SyntheticTextSource
from jssl.data.text.tokenizers import make

FROZEN = "Dark green, light purple and light pink groups of dots, three "


def documents(source, index):
    """The stories of a row as text."""
    row = source[index]
    return [make("bytes").decode(row["tokens"][row["segments"] == i]) for i in range(1, row["segments"].max() + 1)]


def test_rows_are_stories():
    source = SyntheticTextSource(num_examples=20, length=700)
    assert parse_spec("synthetic_text:length=9,seed=1") == ("synthetic_text", "", {"length": 9, "seed": 1})
    assert (source.about.vocabulary, source.about.tokenizer) == (259, "bytes")
    for i in range(20):
        row = source[i]
        assert {name: (value.shape, value.dtype) for name, value in row.items()} == {
            "tokens": ((700,), np.int32),
            "segments": ((700,), np.int32),
        }
        assert set(np.diff(row["segments"])) == {0, 1} and row["segments"][0] == 1
        ends = np.flatnonzero(row["tokens"] == 2)
        np.testing.assert_array_equal(np.flatnonzero(np.diff(row["segments"])), ends[ends < 699])
        for text in documents(source, i)[:-1]:
            assert text[0].isupper() and text.endswith(".") and text.count(". ") >= 4
            *_, last = text.split(". ")
            count = next(word for word in ("two", "three", "four") if word in last)
            assert (
                text.lower().count(f" {count} ") + text.lower().startswith(count) == 2
            )  # opening and summing-up agree
    with pytest.raises(IndexError):
        source[20]


def test_text_never_changes():
    """Figures published for this text hold only while it stays; otherwise raise _VERSION."""
    assert documents(SyntheticTextSource(num_examples=10, length=62), 7) == [FROZEN]


def test_a_row_depends_on_its_number_alone():
    source, longer = (SyntheticTextSource(num_examples=n, length=100) for n in (30, 50))
    for i in (29, 0, 7):
        np.testing.assert_array_equal(source[i]["tokens"], longer[i]["tokens"])
    np.testing.assert_array_equal(
        SyntheticTextSource(num_examples=30, length=300)[4]["tokens"][:100], source[4]["tokens"]
    )
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again[3]["tokens"], source[3]["tokens"])
    assert again.fingerprint == SyntheticTextSource(num_examples=30, length=100).fingerprint != longer.fingerprint


@pytest.mark.slow
def test_splits_and_seeds_share_no_story():
    splits = [
        open_source(f"synthetic_text:num_examples=100,length=600,seed={seed}", split)
        for split, seed in (("train", 0), ("test", 0), ("train", 1))
    ]
    assert [len(source) for source in splits] == [100, 20, 100]
    stories = [[text for i in range(20) for text in documents(source, i)[:-1]] for source in splits]
    assert min(map(len, stories)) >= 30
    assert len(set(sum(stories, []))) == sum(map(len, stories))
    assert len({source.fingerprint for source in splits}) == 3


def test_rows_start_with_any_shape():
    source = SyntheticTextSource(num_examples=10, length=120)
    shapes = ("circle", "square", "triangle", "star", "ring", "cross", "crescent", "bowtie", "bars", "dots")
    found = [next(shape for shape in shapes if shape in documents(source, i)[0]) for i in range(10)]
    assert sorted(found) == sorted(shapes)


@pytest.mark.slow
def test_context_tells_what_comes():
    """A table of what followed the last few bytes, smoothed, beats knowing how frequent bytes are, more so the more it sees."""
    train, test = (stack(SyntheticTextSource(split, num_examples=500))["tokens"] for split in ("train", "test"))

    def bits(context):
        counts = collections.defaultdict(collections.Counter)
        for row in train.tolist():
            for i in range(context, len(row)):
                counts[tuple(row[i - context : i])][row[i]] += 1
        return -np.mean(
            [
                np.log2((after[row[i]] + 0.01) / (after.total() + 2.59))
                for row in test[:50].tolist()
                for i in range(context, len(row))
                for after in [counts[tuple(row[i - context : i])]]
            ]
        )

    frequencies, pairs, six = bits(0), bits(1), bits(6)
    assert frequencies > 4 and pairs < 0.7 * frequencies and six < 0.25 * frequencies


def test_captions_and_stories_fill_in_every_word():
    scene = Scene("bars", ("red", "dark blue", "pink"), ("upper left", "lower left", "upper right"), "checked", "grey")
    assert [caption(scene, style) for style in range(len(CAPTIONS))] == [
        "three sets of bars in red, dark blue and pink on a checked grey background",
        "a checked grey background with three sets of bars in red, dark blue and pink",
        "three sets of bars, red, dark blue and pink, in front of checked grey",
        "red, dark blue and pink sets of bars, three of them, over checked grey",
        "a picture of sets of bars",
        "three sets of bars",
    ]
    assert story(scene, (0.3, 0.5, 0.9, 0.9, 0.9)) == (
        "A checked grey background with three sets of bars in red, dark blue and pink. "
        "In the upper right is a set of bars in pink. Behind them all is grey, checked. "
        "In the upper left is a set of bars in red. In the lower left is a set of bars in dark blue. "
        "So there are three sets of bars."
    )


@pytest.mark.parametrize(
    "options, message",
    [("num_examples=0", "num_examples=0"), ("length=1", "length=1"), ("length=70000", "length=70000")],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        open_source(f"synthetic_text:{options}")
    with pytest.raises(ValueError, match='split is "dev"'):
        open_source("synthetic_text", "dev")


def test_opening_costs_nothing_however_many_scenes_there_are_to_take():
    began = time.process_time()
    assert len(open_source("synthetic_text")) == 10_000
    assert time.process_time() - began < 1  # it took minutes, and 10 GB of locks for scenes that are never kept
