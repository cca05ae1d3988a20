"""Figures of what is never trained are computed once per data set."""

import pathlib

import jax.numpy as jnp
import numpy as np
import pytest
from hand_made import AUDIO, Arrays, Counting, images

from jssl import user_cache
from jssl.data.source import About
from jssl.evaluation import Encoder, Raw, evaluate
from jssl.evaluation.remembered import remembered


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return pathlib.Path(user_cache.folder("baselines"))


def counting(mark):
    sources = {"train": Counting(20), "test": Counting(10)}
    for split, source in sources.items():
        source.fingerprint = mark and f"{mark} {split}"
    return sources


def reads(sources, identity):
    encoder = Encoder({"audio": AUDIO}, (jnp.float32(2), {}), sources, batch_size=5, identity=identity)
    before = sum(source.reads.sum() for source in sources.values())
    figures = evaluate({"random": encoder}, protocols=("knn",))["random"]
    return sum(source.reads.sum() for source in sources.values()) - before, figures


def test_an_untrained_encoder_is_evaluated_once_per_data_and_options(cache):
    sources = counting("a")
    first, figures = reads(sources, {"seed": 0})
    assert first == 30 and list(figures) == ["knn"] and len(list(cache.iterdir())) == 1
    assert reads(sources, {"seed": 0}) == (0, figures) == reads(counting("a"), {"seed": 0})
    assert reads(sources, {"seed": 1})[0] == reads(counting("b"), {"seed": 0})[0] == 30
    assert reads(sources, None)[0] == 30  # a trained one
    assert reads(counting(""), {"seed": 0})[0] == 30  # data that cannot be told from others
    assert len(list(cache.iterdir())) == 3


def test_so_is_the_raw_input(monkeypatch):
    source = Arrays(About(class_names=("a", "b")), image=images([1, 200]), label=np.arange(2))
    source.fingerprint = "a"
    assert evaluate({"raw": Raw({"train": source, "test": source})}, protocols=("knn",)) == {"raw": {"knn": 1.0}}
    monkeypatch.setattr(Raw, "_compute", lambda *_: pytest.fail("computed again"))
    assert evaluate({"raw": Raw({"train": source, "test": source})}, protocols=("knn",)) == {"raw": {"knn": 1.0}}


@pytest.mark.parametrize("damage", ["", "[]", '{"key": 1, "figures": {"knn": 9}}'])
def test_a_damaged_cache_is_made_anew(cache, damage):
    assert remembered(["x"], lambda: {"knn": 0.5}) == {"knn": 0.5}
    (file,) = cache.iterdir()
    file.write_text(damage)
    assert remembered(["x"], lambda: {"knn": 0.25}) == remembered(["x"], dict) == {"knn": 0.25}


def test_a_cache_that_cannot_be_written_is_none(cache):
    cache.parent.mkdir(parents=True)
    cache.write_text("no folder")
    assert remembered(["x"], lambda: {"knn": 0.5}) == {"knn": 0.5}
