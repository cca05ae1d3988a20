"""Recalls by hand, against a loop in NumPy, and on features without content."""

from types import SimpleNamespace

import numpy as np
import pytest
from hand_made import Arrays, images, pairs

from jssl.evaluation import Encoder, evaluate, knn, retrieval
from jssl.evaluation.retrieval import RANKS, recalls


def reference(images, captions, example, text):
    """Query by query, sorted by (similarity, lower index first), in float64."""
    unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)  # noqa: E731
    scores = unit(images.astype(np.float64)) @ unit(captions.astype(np.float64)).T
    said = {image: {text[j] for j in range(len(text)) if example[j] == image} for image in range(len(images))}
    hits = {f"{way}_r{k}": [] for way in ("image_to_text", "text_to_image") for k in RANKS}
    for k in RANKS:
        for image in range(len(images)):
            if said[image]:
                best = np.argsort(-scores[image], kind="stable")[:k]
                hits[f"image_to_text_r{k}"].append(any(text[j] in said[image] for j in best))
        for j in range(len(text)):
            best = np.argsort(-scores[:, j], kind="stable")[:k]
            hits[f"text_to_image_r{k}"].append(any(text[j] in said[image] for image in best))
    return {name: np.mean(values) for name, values in hits.items()}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("block_size", "bank_block"), [(512, 65536), (7, 16)])
def test_matches_a_loop(seed, block_size, bank_block, monkeypatch):
    monkeypatch.setattr(knn, "TRAIN_BLOCK", bank_block)
    rng = np.random.default_rng(seed)
    n, m = 40, 90
    images, example, text = rng.normal(size=(n, 6)), rng.integers(0, n, m), rng.integers(0, 60, m)
    captions = images[example] + 1.3 * rng.normal(size=(m, 6))
    found = recalls(images, captions, example, text, block_size=block_size)
    expected = reference(images, captions, example, text)
    assert found.keys() == expected.keys() and 0.1 < found["image_to_text_r1"] < found["image_to_text_r10"] < 1
    for name, value in found.items():
        assert value == pytest.approx(expected[name], abs=1e-9), name


def test_every_caption_of_an_image_is_right_for_it():
    # Image 0 is nearest to its second caption, image 1 to a caption of image 0.
    captions = np.array([[0.0, 1.0], [1.0, 0.0], [0.9, 0.1]])
    found = recalls(np.array([[1.0, 0.0], [0.0, 1.0]]), captions, np.array([0, 0, 1]), np.array([0, 1, 2]))
    assert found["image_to_text_r1"] == 0.5 and found["text_to_image_r1"] == 1 / 3


def test_captions_that_say_the_same_are_right():
    """Two images with the same words: either is an answer, as nobody could tell."""
    images, captions = np.eye(2), np.eye(2)[::-1]
    example = np.array([0, 1])
    assert recalls(images, captions, example, np.array([0, 1]))["image_to_text_r1"] == 0.0
    same = recalls(images, captions, example, np.array([5, 5]))
    assert same["image_to_text_r1"] == same["text_to_image_r1"] == 1.0


@pytest.mark.parametrize("content", [np.ones, np.zeros, lambda shape: np.full(shape, np.nan)])
def test_features_without_content_score_chance(content):
    n = 50
    found = recalls(content((n, 4)), content((n, 4)), np.arange(n), np.arange(n))
    for k in RANKS:
        assert found[f"image_to_text_r{k}"] == found[f"text_to_image_r{k}"] == k / n


def subject(image_rows, captions, shown, **options):
    readouts, variables = pairs(image_rows, **options)
    return Encoder(readouts, variables, {"test": Arrays(image=images(shown), captions=np.asarray(captions, np.int32))})


def test_a_perfect_encoder_finds_everything():
    shown = np.arange(20)
    captions = np.stack([shown, np.full(20, 3)], 1)[:, None]  # the first token says it; the rest is the same
    captions[:, :, 0] += 1
    result = evaluate({"clip": subject(np.eye(21), captions, shown + 1)}, protocols="retrieval")
    assert set(result["clip"].values()) == {1.0} and len(result["clip"]) == 6


def test_a_shifted_encoder_finds_nothing_first():
    n = 20
    captions = 1 + np.arange(n)[:, None, None]
    turned = np.concatenate([np.eye(n + 1)[:1], np.roll(np.eye(n + 1)[1:], 1, axis=0)])
    found = retrieval.evaluate(subject(np.eye(n + 1), captions, 1 + np.arange(n), text=turned))
    # Nothing is like the right answer, so after the wrong one all others tie, the lower index first.
    assert found["image_to_text_r1"] == found["text_to_image_r1"] == 0.0 and 0 < found["text_to_image_r5"] < 1


def test_clips_find_their_sounds_and_sounds_their_clips():
    """Clip 0 is like sound 0, clips 1 and 2 are both like sound 1, and sound 2 is like neither."""
    clips, sounds = np.eye(3)[[0, 1, 1]], np.eye(3)
    rows = lambda name: SimpleNamespace(  # noqa: E731
        prepare=lambda example: example[name], apply=lambda params, extra, x: SimpleNamespace(pooled=x)
    )
    source = Arrays(video=clips.astype(np.float32), audio=sounds.astype(np.float32))
    encoder = Encoder({name: rows(name) for name in ("video", "audio")}, ({}, {}), {"test": source})
    found = evaluate({"x": encoder}, protocols="retrieval")["x"]
    assert found.keys() == {f"{way}_r{k}" for way in ("video_to_audio", "audio_to_video") for k in RANKS}
    assert found["video_to_audio_r1"] == pytest.approx(2 / 3) and found["audio_to_video_r1"] == pytest.approx(2 / 3)
    assert found["video_to_audio_r5"] == 1.0


def test_padding_is_no_caption():
    """Image 2 has none, image 1 one: three captions ask, two images do."""
    captions = [[[1, 0], [2, 0]], [[3, 0], [0, 0]], [[0, 0], [0, 0]]]
    codes = np.array([[1, 1, 1], [1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    seen = np.array([codes[1], codes[3], codes[4]])
    found = retrieval.evaluate(subject(np.concatenate([seen, codes[:2]]), captions, [0, 1, 2], text=codes))
    assert set(found.values()) == {1.0}
    with pytest.raises(ValueError, match="retrieval needs captions; those of the test split are padding alone"):
        retrieval.evaluate(subject(seen, np.zeros((3, 1, 2)), [0, 1, 2]))


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="not 2 captions, 3 images and 2 texts"):
        recalls(np.eye(2), np.eye(2), np.arange(3), np.arange(2))
    with pytest.raises(ValueError, match="there are none"):
        recalls(np.eye(2), np.zeros((0, 2)), [], [])
    with pytest.raises(ValueError, match=r"of one width, not \(2, 3\) and \(2, 2\)"):
        recalls(np.eye(2), np.eye(2, 3), np.arange(2), np.arange(2))
    with pytest.raises(ValueError, match="needs features and queries, not 0 and 1"):
        knn.nearest(np.zeros((0, 2)), np.zeros((1, 2)), k=1)
