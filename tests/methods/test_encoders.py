"""Encoders by field and name, and a user's own."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small
from formulas import CASES
from rows import RESNET, VIT

from jssl.methods import encoders
from jssl.models import Features

TOLD = {
    "image": {"image_size": 16, "dtype": jnp.float32},
    "video": {"image_size": 16, "frames": 4, "dtype": jnp.float32},
    "tokens": {"vocabulary": 9, "length": 6, "causal": False, "dtype": jnp.float32},
    "audio": {"causal": False, "dtype": jnp.float32},
    "frames": {"causal": True, "dtype": jnp.float32},
}
INPUTS = {
    "image": jnp.ones((2, 16, 16, 3)),
    "video": jnp.ones((2, 4, 16, 16, 3)),
    "tokens": jnp.array([[1, 2, 3, 4, 5, 6], [3, 3, 1, 2, 0, 0]]),
    "audio": jnp.ones((2, 60)),
    "frames": jnp.ones((2, 7, 5)),
}
TINY_VIT = {"width": 8, "depth": 1, "heads": 2, "patch_size": 8}
OPTIONS = {
    "resnet": {"stage_sizes": (1,), "width": 4, "stem": "cifar"},
    "vit": TINY_VIT,
    "transformer": {"width": 8, "depth": 1, "heads": 2},
    "gru": {"width": 8},
    "wave_gru": {"width": 8, "layers": ((6, 10, 5),)},
    "wave_transformer": {"width": 8, "depth": 1, "heads": 2, "groups": 2, "layers": ((6, 10, 5),)},
} | {f"vit_{size}": TINY_VIT for size in ("tiny", "small", "base", "large", "huge")}
ALL = [(field, name) for field, known in encoders.ENCODERS.items() for name in known]


class Colours(nn.Module):
    """What a user might bring: one vector per picture."""

    width: int = 5

    @nn.compact
    def __call__(self, images):
        return nn.Dense(self.width)(images.mean((1, 2)))


def features(encoder, inputs):
    """Shapes of what an encoder gives."""

    def run(key):
        params, statistics = encoder.init(key, inputs)
        return encoder.apply(params, statistics, inputs, train=False, keys=None, axis_name=None)[0]

    return jax.eval_shape(run, jax.random.key(0))


def test_the_encoders_are_these():
    sizes = {f"resnet{depth}" for depth in (18, 34, 50)}
    vits = {name for name in OPTIONS if name.startswith("vit")}
    assert encoders.ENCODERS["image"].keys() == sizes | vits | {"resnet"}
    assert encoders.ENCODERS["video"].keys() == vits
    assert encoders.ENCODERS["tokens"].keys() == {"transformer"}
    assert encoders.ENCODERS["audio"].keys() == {"wave_gru", "wave_transformer"}
    assert encoders.ENCODERS["frames"].keys() == {"gru", "transformer"}


@pytest.mark.parametrize(("field", "name"), ALL)
def test_every_encoder_gives_features(field, name):
    encoder = encoders.make(field, {"name": name, **OPTIONS.get(name, {"stem": "cifar", "width": 2})}, **TOLD[field])
    found = features(encoder, INPUTS[field])
    assert isinstance(found, Features)
    assert found.pooled.shape[0] == 2 and found.pooled.ndim == 2
    assert found.tokens.shape[::2] == found.pooled.shape and found.tokens.ndim == 3
    assert isinstance(encoder, encoders.PatchEncoder) == name.startswith("vit")
    if isinstance(encoder, encoders.PatchEncoder):
        assert (encoder.patch_size, encoder.width, encoder.depth, encoder.pools_token) == (8, 8, 1, True)
        assert encoder.tubelet == (2 if field == "video" else None)
        assert found.tokens.shape == (2, 8 if field == "video" else 4, 8)


def test_an_encoder_that_pools_no_token_says_so():
    options = {"name": "vit", "class_token": False, "pool": "mean", **TINY_VIT}
    assert not encoders.make("image", options, **TOLD["image"]).pools_token


def test_the_compute_dtype_reaches_every_family():
    for field, name in ALL:
        if name in ("resnet", "vit_tiny", "transformer", "gru", "wave_gru", "wave_transformer"):
            told = TOLD[field] | {"dtype": jnp.bfloat16}
            encoder = encoders.make(field, {"name": name, **OPTIONS[name]}, **told)
            assert features(encoder, INPUTS[field]).tokens.dtype == jnp.bfloat16, name


def test_a_module_of_the_user_s_is_an_encoder():
    encoder = encoders.make("image", Colours(), **TOLD["image"])
    found = features(encoder, INPUTS["image"])
    assert isinstance(found, Features) and found.pooled.shape == (2, 5)
    assert found.tokens is None and not isinstance(encoder, encoders.PatchEncoder)


@pytest.mark.slow
def test_a_method_trains_and_reads_a_module_of_the_user_s():
    method = small.build("simclr", **CASES["simclr"].options | {"encoder": Colours()})
    batch = {"views": jnp.ones((4, 2, small.SIDE, small.SIDE, 3))}
    params, extra = method.init(jax.random.key(0), batch)
    readout = method.readouts["image"]
    picture = {"image": small.examples()["image"][0]}
    inputs = readout.prepare(picture)
    np.testing.assert_allclose(inputs, small.normalized(picture["image"]), rtol=1e-5, atol=1e-5)
    found = readout.apply(params, extra, inputs[None])
    dense = params["encoder"]["Dense_0"]
    expected = inputs.mean((0, 1)) @ dense["kernel"] + dense["bias"]
    np.testing.assert_allclose(found.pooled[0], expected, rtol=1e-5, atol=1e-6)


def test_a_name_can_be_registered(monkeypatch):
    monkeypatch.setitem(encoders.ENCODERS, "image", dict(encoders.ENCODERS["image"]))

    @encoders.register("image", "colours")
    def colours(*, image_size, width: int = 7):
        assert image_size == 16  # it asks for this, and not for the compute dtype
        return Colours(width)

    assert features(encoders.make("image", {"name": "colours"}, **TOLD["image"]), INPUTS["image"]).pooled.shape == (
        2,
        7,
    )
    wider = encoders.make("image", {"name": "colours", "width": 9}, **TOLD["image"])
    assert features(wider, INPUTS["image"]).pooled.shape == (2, 9)
    assert colours(image_size=16).width == 7  # the function itself is as it was


def test_a_new_field_can_be_registered(monkeypatch):
    monkeypatch.setattr(encoders, "ENCODERS", dict(encoders.ENCODERS))
    encoders.register("spectra", "colours")(lambda: Colours())
    assert features(encoders.make("spectra", {"name": "colours"}), INPUTS["image"]).pooled.shape == (2, 5)


@pytest.mark.parametrize(
    ("field", "encoder", "message"),
    [
        ("image", {"name": "resnet19"}, "no encoder 'resnet19' for image; did you mean 'resnet18'?"),
        ("image", {"width": 8}, "no encoder None for image; there are resnet18, "),
        ("tokens", {"name": "vit_tiny"}, "no encoder 'vit_tiny' for tokens; there are transformer"),
        ("image", {"name": "resnet18", "stm": 1}, "the encoder resnet18 has no option 'stm'"),
        ("image", {"name": "vit", "heads": 2}, "the encoder vit is not complete: "),
        ("image", "resnet18", "'resnet18' is no network: pass a flax.linen module"),
    ],
)
def test_a_wrong_encoder_is_one_line(field, encoder, message):
    with pytest.raises(ValueError) as error:
        encoders.make(field, encoder, **TOLD[field])
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_tokens_of_an_unknown_vocabulary_are_refused_unless_the_options_tell_it():
    told = TOLD["tokens"] | {"vocabulary": None}
    with pytest.raises(ValueError, match="^the encoder transformer reads tokens: .*about.vocabulary.$"):
        encoders.make("tokens", {"name": "transformer", **OPTIONS["transformer"]}, **told)
    encoders.make("tokens", {"name": "transformer", "vocabulary": 9, **OPTIONS["transformer"]}, **told)


@pytest.mark.parametrize(("encoder", "named"), [(RESNET, "resnet"), (Colours(), "Colours")])
def test_patches_are_asked_for_by_name(encoder, named):
    with pytest.raises(
        ValueError, match=f"^mae needs patches: use an encoder vit_tiny ... vit_huge or vit, not '{named}'$"
    ):
        encoders.make_patches("mae", encoder, **TOLD["image"])
    assert encoders.make_patches("mae", VIT, **TOLD["image"]).patch_size == 4


def test_frames_of_waves_are_asked_for_by_name():
    with pytest.raises(ValueError, match="^cpc needs frames of waves: use an encoder wave_.*, not 'Colours'$"):
        encoders.make_frames("cpc", Colours(), **TOLD["audio"])
    encoder = encoders.make_frames("cpc", {"name": "wave_gru", **OPTIONS["wave_gru"]}, **TOLD["audio"])
    found = features(encoder, INPUTS["audio"])
    assert encoder.frames(60) == 11 == found.tokens.shape[1] and found.local.shape == (2, 11, 6)


@pytest.mark.parametrize(
    ("name", "option", "causal"), [("causal_lm", "encoder", True), ("clip", "text_encoder", False)]
)
def test_a_reader_of_tokens_is_told_what_it_reads_and_whether_it_may_look_ahead(name, option, causal, monkeypatch):
    told = []

    def spy(*, vocabulary, length, causal):
        told.append({"vocabulary": vocabulary, "length": length, "causal": causal})
        return small.Words()

    monkeypatch.setitem(encoders.ENCODERS, "tokens", {"spy": spy})
    small.build(name, **CASES[name].options | {option: {"name": "spy"}})
    assert told == [{"vocabulary": small.WORDS, "length": small.LENGTH, "causal": causal}]
