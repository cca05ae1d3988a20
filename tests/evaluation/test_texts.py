"""Texts as a source, tokenised as captions are."""

import numpy as np
import pytest
from hand_made import pairs

from jssl.data.source import stack
from jssl.evaluation import extract
from jssl.evaluation.texts import Texts, tokenise


def test_each_text_is_an_example_with_one_caption():
    tokens = np.arange(12, dtype=np.int32).reshape(4, 3)
    source = Texts(tokens)
    assert len(source) == 4 and source.spec["captions"].shape == (1, 3)
    np.testing.assert_array_equal(stack(source)["captions"], tokens[:, None])


def test_a_text_readout_reads_them():
    readouts, variables = pairs(np.eye(5))
    features = extract(readouts["text"], variables, Texts(np.array([[4, 0], [2, 0], [2, 1]], np.int32)), batch_size=2)
    np.testing.assert_array_equal(features, np.eye(5)[[4, 2, 2]])


def test_prompts_are_rows_of_the_tokenizer():
    from jssl.data.text import tokenizers

    rows = tokenise(["a cat", "a picture of a red fox"], "bytes", 9)
    assert rows.shape == (2, 9) and rows.dtype == np.int32
    made = tokenizers.make("bytes")
    for row, text in zip(rows, ("a cat", "a picture of a red fox")):
        np.testing.assert_array_equal(row, tokenizers.row(made, text, 9))
    assert rows[0].tolist()[-2:] == [0, 0] and rows[0, 0] == made.bos and rows[1, -1] == made.eos
    with pytest.raises(ValueError, match="no tokenizer"):
        tokenise(["a"], "none", 9)


def test_what_is_no_text_is_refused():
    for tokens in (np.zeros((2, 3), np.int64), np.zeros(3, np.int32)):
        with pytest.raises(ValueError, match=r"texts are \(N, L\) int32 tokens"):
            Texts(tokens)
    with pytest.raises(ValueError, match="no texts"):
        tokenise([], "bytes", 9)
