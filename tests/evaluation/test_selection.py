"""Which features: words, on the encoder of a real method, and what methods say of themselves."""

import jax
import numpy as np
import pytest

from jssl import methods
from jssl.evaluation.selection import is_selection, select

SPEC = {"image": jax.ShapeDtypeStruct((16, 16, 3), "uint8")}
VIT = {"name": "vit", "width": 8, "depth": 3, "heads": 2, "patch_size": 4}
SMALL = {
    "dino": {"image": {"size": 16}, "encoder": VIT, "crops": {"num_local": 0}},
    "dinov2": {"image": {"size": 16}, "encoder": VIT, "crops": {"num_local": 0}},
    "ijepa": {"image": {"size": 16}, "encoder": VIT | {"class_token": False, "pool": "mean"}},
    "mae": {"image": {"size": 16}, "encoder": VIT},
    "simclr": {"image": {"size": 16}, "encoder": {"name": "resnet18"}},
}


def shape(method, words):
    """Of the pooled features of two pictures."""

    def read(key):
        example = {"image": jax.numpy.zeros((16, 16, 3), "uint8"), "index": jax.numpy.int32(0), "batch_key": key}
        views = jax.vmap(lambda key: method.views(key, example))(jax.random.split(key))
        params, extra = method.init(key, views)
        found = select(next(iter(method.readouts.values())), words)
        return found.apply(params, extra, jax.vmap(lambda _: found.prepare(example))(jax.random.split(key))).pooled

    return jax.eval_shape(read, jax.random.key(0)).shape


@pytest.mark.parametrize(
    ("name", "words", "columns"),
    [("mae", "pooled", 8), ("mae", "last2", 16), ("mae", "token+last3+mean", 40), ("ijepa", "last2", 16)],
)
def test_words_select_columns_of_a_vit(name, words, columns):
    assert shape(methods.build(name, spec=SPEC, **SMALL[name]), words) == (2, columns)


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("ijepa", "token", "features=token: this encoder has no class token"),
        ("mae", "last4", "last=4 of 3 blocks"),
        ("simclr", "last2", "this encoder has none"),
    ],
)
def test_what_an_encoder_has_not_is_said(name, words, message):
    with pytest.raises(ValueError, match=message):
        shape(methods.build(name, spec=SPEC, **SMALL[name]), words)


@pytest.mark.parametrize(
    ("name", "teacher", "linear"),
    [("dino", True, "last3"), ("dinov2", True, "last3+mean"), ("ijepa", True, "last3"), ("mae", False, None)],
)
def test_methods_are_read_as_their_papers_read_them(name, teacher, linear):
    method = methods.build(name, spec=SPEC, **SMALL[name])
    assert method.reads_teacher == teacher and method.reads.get("linear") == method.reads.get("few_labels") == linear


def test_other_words_are_none():
    assert not any(map(is_selection, ("last0", "last", "projector", "pooled+", "", "last2+head")))
    assert all(map(is_selection, ("last12", "pooled+token")))


def test_pictures_have_random_crops_for_linear_probes():
    readout = methods.build("simclr", spec=SPEC, **SMALL["simclr"]).readouts["image"]
    picture = {"image": np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)}
    crops = [np.asarray(readout.prepare.augment(jax.random.key(seed), picture)) for seed in (0, 0, 1)]
    assert crops[0].shape == readout.prepare(picture).shape == (16, 16, 3)
    assert (crops[0] == crops[1]).all() and (crops[0] != crops[2]).any()
