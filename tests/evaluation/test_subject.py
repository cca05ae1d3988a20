"""Subjects: each feature and field is read once, through the readout that was asked for."""

import jax.numpy as jnp
import numpy as np
import pytest
from hand_made import AUDIO, Arrays, Counting, Readout, images, pairs

from jssl import sharding
from jssl.data.source import About
from jssl.evaluation import Encoder, Raw, Text, evaluate
from jssl.evaluation.texts import Texts
from jssl.models.features import Features


def test_everything_is_read_once():
    sources = {"train": Counting(50), "test": Counting(30)}
    encoder = Encoder({"audio": AUDIO}, (jnp.float32(2), {}), sources, batch_size=8)
    for _ in range(2):
        np.testing.assert_array_equal(encoder.features("train")[:, 0], 2 * np.arange(50))
        assert encoder.features("test", "audio") is encoder.features("test")
        np.testing.assert_array_equal(encoder.field("test", "label"), np.arange(30) % 7)
        np.testing.assert_array_equal(encoder.field("train", "label"), np.arange(50) % 7)
    assert all((source.reads == 1).all() for source in sources.values())


def test_a_field_can_be_asked_for_first():
    sources = {"test": Counting(600)}
    encoder = Encoder({"audio": AUDIO}, (jnp.float32(2), {}), sources)
    np.testing.assert_array_equal(encoder.field("test", "label"), np.arange(600) % 7)
    np.testing.assert_array_equal(encoder.field("test", "audio")[:, 0], np.arange(600))
    assert encoder.field("test", "label") is encoder.field("test", "label") and sources["test"].reads.max() == 2


def test_devices_change_nothing():
    layout = sharding.batch_sharding(sharding.make_mesh(fsdp=2))
    sources = {"test": Counting(13)}
    encoder = Encoder({"audio": AUDIO}, (jnp.float32(2), {}), sources, batch_size=8, sharding=layout)
    np.testing.assert_array_equal(encoder.features("test")[:, 0], 2 * np.arange(13))
    np.testing.assert_array_equal(encoder.field("test", "label"), np.arange(13) % 7)


def test_readouts_have_features_of_their_own():
    readouts, variables = pairs(np.eye(4))
    source = Arrays(image=images([0, 1, 2]), captions=np.array([[[3]], [[2]], [[1]]], np.int32))
    encoder = Encoder(readouts, variables, {"test": source}, batch_size=2)
    np.testing.assert_array_equal(encoder.features("test"), np.eye(4)[:3])
    np.testing.assert_array_equal(encoder.features("test", "text"), np.eye(4)[[3, 2, 1]])
    np.testing.assert_array_equal(encoder.encode("text", Texts(np.array([[2], [2]], np.int32))), np.eye(4)[[2, 2]])
    with pytest.raises(ValueError, match="the encoder has no readout 'audio'; it has image, text"):
        encoder.features("test", "audio")


def test_has_is_about_every_split():
    whole = Arrays(About(class_names=("a",)), image=images([0]), label=np.zeros(1, np.int32))
    part = Arrays(image=images([0]))
    subject = Raw({"train": whole, "test": part})
    assert subject.has("image") and not subject.has("label") and list(subject.spec) == ["image"]
    assert subject.about is part.about
    assert Raw({"train": whole}).about is whole.about
    with pytest.raises(ValueError, match="the test split has no label"):
        subject.field("test", "label")
    with pytest.raises(ValueError, match="there is no validation split to evaluate on; there are train, test"):
        subject.field("validation", "label")
    with pytest.raises(ValueError, match="give a test split"):
        Raw({})


def test_the_text_of_an_encoder_is_that_of_the_run_or_of_the_data():
    readouts, variables = pairs(np.eye(4))
    captions = np.ones((1, 2, 5), np.int32)
    with_text = Arrays(About(tokenizer="words"), image=images([0]), captions=captions)
    assert Encoder(readouts, variables, {"test": with_text}).text == Text("words", 5)
    for source in (Arrays(image=images([0]), captions=captions), Arrays(About(tokenizer="words"), image=images([0]))):
        assert Encoder(readouts, variables, {"test": source}).text is None
    assert Encoder(readouts, variables, {"test": with_text}, text=Text("bytes", 9)).text == Text("bytes", 9)


def test_the_raw_input_is_left_out_where_a_readout_is_needed():
    readouts, variables = pairs(np.eye(4))
    captions = np.array([[[1]], [[2]]], np.int32)
    source = Arrays(About(class_names=("a", "b")), image=images([1, 2]), captions=captions, label=np.arange(2))
    sources = {"train": source, "test": source}
    results = evaluate(
        {"encoder": Encoder(readouts, variables, sources), "raw": Raw(sources)}, protocols=("knn", "retrieval")
    )
    assert results["raw"] == {"knn": 1.0} and results["encoder"]["image_to_text_r1"] == 1.0
    with pytest.raises(ValueError, match="the raw input has no readout 'text'"):
        Raw(sources).features("test", "text")


def test_the_raw_input_of_both_splits_is_centred_by_the_training_mean():
    raw = Raw({"train": Arrays(image=images([0, 255])), "test": Arrays(image=images([255]))})
    np.testing.assert_allclose(raw.features("test"), np.full((1, 12), 0.5))
    np.testing.assert_allclose(raw.features("train").mean(0), 0)


def test_only_the_readout_that_is_needed_runs():
    def broken(params, extra, x):
        raise AssertionError("not asked for")

    readouts = {"image": Readout(lambda e: jnp.float32(1) * e["label"].astype(jnp.float32), broken), "audio": AUDIO}
    encoder = Encoder(readouts, (jnp.float32(1), {}), {"test": Counting(3)})
    assert encoder.features("test", "audio").shape == (3, 2)
    assert Features(None).pooled is None
