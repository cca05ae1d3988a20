"""Zero-shot classification with towers that are tables: the right accuracies are known by construction."""

import sys

import numpy as np
import pytest
from hand_made import Arrays, Readout, images, pairs, tokenizers

import jssl.data.text
from jssl.data.source import About
from jssl.evaluation import Encoder, Text, evaluate, zero_shot
from jssl.models.features import Features

WORDS = ["a", "picture", "of", "photo", "cat", "dog", "red", "fox"]


@pytest.fixture(autouse=True)
def words(monkeypatch):
    module = tokenizers(WORDS)
    monkeypatch.setitem(sys.modules, "jssl.data.text.tokenizers", module)
    monkeypatch.setattr(jssl.data.text, "tokenizers", module, raising=False)


def code(word):
    return 1 + WORDS.index(word)


def subject(directions, labels, *, classes=("cat", "dog", "red_fox"), about=True, text=None):
    """Images of ``directions`` (N, 9) and a text tower that adds one basis vector per word."""

    def add(params, extra, tokens):
        return Features(params["words"][tokens].sum(1))

    readouts, _ = pairs(np.zeros((1, 9)))
    readouts["text"] = Readout(lambda example: example["captions"][0], add)
    table = np.eye(9, dtype=np.float32)
    table[0] = 0.0  # padding
    shown = images(np.arange(len(directions)))
    fields = {"image": shown, "label": np.asarray(labels, np.int32)}
    if about:
        fields["captions"] = np.ones((len(labels), 2, 6), np.int32)
    source = Arrays(About(class_names=classes, tokenizer="words" if about else None), **fields)
    params = {"image": np.asarray(directions, np.float32), "words": table}
    return Encoder(readouts, (params, {}), {"test": source}, text=text, batch_size=4)


def toward(*words):
    return np.eye(9)[[code(word) for word in words]].sum(0)


def test_images_go_to_the_class_whose_words_they_are_like():
    directions = [toward("cat"), toward("dog"), toward("fox"), toward("red"), toward("dog", "a")]
    perfect = subject(directions, [0, 1, 2, 2, 1])
    assert evaluate({"clip": perfect}, protocols="zero_shot") == {"clip": {"zero_shot": 1.0}}
    assert zero_shot.evaluate(subject(directions, [1, 0, 2, 2, 1])) == {"zero_shot": 0.6}


def test_scale_of_either_tower_changes_nothing():
    directions = np.array([toward("cat"), toward("dog"), toward("fox")])
    assert zero_shot.evaluate(subject(directions * [[1e-3], [1e3], [1]], [0, 1, 2])) == {"zero_shot": 1.0}


def test_class_features_are_means_of_unit_features_brought_to_unit_length():
    encoder = subject([toward("cat")], [0])
    features = zero_shot.class_features(encoder, ["{}", "a {}", "a photo of a {}"])
    unit = lambda x: x / np.linalg.norm(x)  # noqa: E731
    for row, name in zip(features, (["cat"], ["dog"], ["red", "fox"])):
        prompts = [toward(*name), toward("a", *name), toward("a", "a", "photo", "of", *name)]
        prompts[2][code("a")] = 2.0  # "a" twice
        np.testing.assert_allclose(row, unit(np.mean([unit(p) for p in prompts], 0)), rtol=1e-5)


def test_templates_are_an_option():
    """With the bare name an image of "a" is like no class; a template that holds it for one class alone decides."""
    confusing = toward("photo")
    encoder = subject([confusing], [1], classes=("cat", "photo"))
    assert zero_shot.evaluate(encoder, templates=["{}"]) == {"zero_shot": 1.0}
    with pytest.raises(ValueError, match=r"template 'a photo' has no \{\}"):
        zero_shot.evaluate(encoder, templates=["{}", "a photo"])
    with pytest.raises(ValueError, match="needs a template"):
        zero_shot.evaluate(encoder, templates=[])


def test_names_with_braces_and_underscores_are_words():
    assert zero_shot.prompts(["{x}_y"], ["a {}"]) == ["a {x} y"]


def test_data_without_captions_take_the_text_of_the_run():
    """The usual case: a network of pairs, evaluated on labelled pictures."""
    directions = [toward("cat"), toward("dog"), toward("fox")]
    labelled = subject(directions, [0, 1, 2], about=False, text=Text("words", 6))
    assert evaluate({"clip": labelled}, protocols="zero_shot") == {"clip": {"zero_shot": 1.0}}
    with pytest.raises(ValueError, match="zero_shot needs a tokenizer and the length of a text"):
        zero_shot.evaluate(subject(directions, [0, 1, 2], about=False))


def test_classes_without_names_are_refused():
    with pytest.raises(ValueError, match="needs the names of the classes"):
        zero_shot.evaluate(subject([toward("cat")], [0], classes=()))
