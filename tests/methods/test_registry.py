"""What the registry says of a method is what its build makes and asks for; options are checked where they are given."""

import dataclasses
import inspect
import pathlib

import jax
import jax.numpy as jnp
import pytest
import small
from formulas import CASES
from rows import RESNET, ROWS

from jssl import methods
from jssl.methods import REGISTRY, options, registry
from jssl.train.state import make_views

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
NAMES = sorted(REGISTRY)
FIELDS = {
    "labels": {"label"},
    "captions": {"captions"},
    "text": {"tokens", "segments"},
    "actions": {"actions"},
    "video": {"video"},
    "audio": {"audio", "length"},
    "patches": set(),
}
NO_PICTURES = {"text", "video", "audio"}


def build(name, spec=small.SPEC, **changes):
    return methods.build(name, spec=spec, about=small.ABOUT, **CASES[name].options | changes)


def test_the_methods_are_these():
    assert REGISTRY.keys() == {row for row in ROWS if "-" not in row}


@pytest.mark.parametrize("name", NAMES)
def test_a_method_carries_what_the_registry_says(name):
    method = build(name)
    batch = {field: jnp.zeros((2, *x.shape), x.dtype) for field, x in small.SPEC.items()} | {"index": jnp.arange(2)}
    params, extra = jax.eval_shape(
        lambda key: method.init(key, make_views(method, key, 0, batch)[0]), jax.random.key(0)
    )
    of_options = {**REGISTRY[name].options}
    groups = [p.default for p in of_options.values() if dataclasses.is_dataclass(p.default)]
    # That an option exists tells of prototypes in a head, too: their number is one of a group's.
    has = {
        "teacher": method.teacher is not None,
        "predictor": "predictor" in params,
        "prototypes": "prototypes" in of_options or any(hasattr(group, "prototypes") for group in groups),
        "queue": "queue" in extra,
        "centre": "center" in extra,
        "colour prior": "prior" in extra,
        "multi-crop": any(isinstance(group, options.MultiCrop) for group in groups),
        "scale": "scale" in params,
    }
    assert set(has) == set(registry.CARRIES)
    assert set(REGISTRY[name].carries) == {part for part, there in has.items() if there}


@pytest.mark.parametrize("name", NAMES)
def test_a_method_asks_for_what_the_registry_says(name):
    method, asks = build(name), set(REGISTRY[name].asks)
    assert set(FIELDS) == set(registry.ASKS) >= asks
    asked = set().union(*(FIELDS[ask] for ask in asks))
    assert method.fields == asked | (set() if asks & NO_PICTURES else {"image"})
    for missing in sorted(method.fields):  # and no other field is read
        rest = {field: small.SPEC[field] for field in sorted(method.fields - {missing})}
        has = ", ".join(rest)
        with pytest.raises(ValueError, match=f"^{name} needs the field {missing}; the data set has {has}$"):
            build(name, rest)
    build(name, {field: small.SPEC[field] for field in method.fields})


def test_several_missing_fields_are_named_together():
    with pytest.raises(ValueError, match="^audio_video needs the fields audio, length; the data set has video$"):
        build("audio_video", {"video": small.SPEC["video"]})


@pytest.mark.parametrize("name", NAMES)
def test_patches_are_asked_of_the_encoder_where_the_registry_says_so(name):
    if "image" not in REGISTRY[name].reads:
        return
    if "patches" in REGISTRY[name].asks:
        with pytest.raises(ValueError, match=f"^{name} needs patches: use an encoder vit_.*, not 'resnet'$"):
            build(name, encoder=RESNET)
    else:
        build(name, encoder=RESNET)


@pytest.mark.parametrize("name", NAMES)
def test_the_golden_file_of_a_method_is_there(name):
    entry = REGISTRY[name]
    assert entry.golden == "formula" or (GOLDEN / f"{entry.golden}.npz").exists()
    assert entry.paper and set(inspect.signature(entry.build).parameters) == {"given", *entry.options}


def test_what_a_method_says_of_itself_is_checked(monkeypatch):
    with pytest.raises(AssertionError, match="new"):
        registry.register("new", paper="", carries=("wings",), golden="formula")
    for wrong in ({"carries": ()}, {"asks": ("labels",)}):
        monkeypatch.setitem(REGISTRY, "byol", REGISTRY["byol"]._replace(**wrong))
        with pytest.raises(AssertionError, match="byol"):
            build("byol")
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("simclr", {"temprature": 0.5}, "simclr has no option 'temprature'; did you mean 'temperature'?"),
        ("simclr", {"image": {"sise": 8}}, "method.image has no option 'sise'; did you mean 'size'?"),
        ("dino", {"head": {"hiden": 8}}, "method.head has no option 'hiden'; did you mean 'hidden'?"),
        ("simclr", {"image": small.image(blur_brob=0.0)}, "method.image.augment has no option 'blur_brob'"),
        (
            "simclr",
            {"image": small.image(mean=3)},
            "method.image.augment.mean is no part of the augmentation; set method.image.mean",
        ),
        ("simclr", {"encoder": {"name": "resnet19"}}, "no encoder 'resnet19' for image; did you mean 'resnet18'?"),
        ("simclr", {"encoder": RESNET | {"stm": 1}}, "the encoder resnet has no option 'stm'"),
        ("simclr", {"temperature": "low"}, "method.temperature='low': expected float, like 0.5"),
        ("moco", {"queue_size": 0.5}, "method.queue_size=0.5: expected int, like 65536"),
        ("moco", {"queue_size": True}, "method.queue_size=True: expected int, like 65536"),
        ("moco", {"symmetric": 1}, "method.symmetric=1: expected bool, like False"),
        ("simclr", {"projector": 128}, "method.projector=128: expected tuple, like (2048, 128)"),
        ("dino", {"head": {"prototypes": "64"}}, "method.head.prototypes='64': expected int, like 65536"),
        (
            "dino",
            {"head": 64},
            "method.head=64: expected PrototypeHead, or a mapping of what differs from its defaults",
        ),
        (
            "dino",
            {"temperature": {"warmup": "1 epoch"}},
            "method.temperature.warmup='1 epoch' is resolved to steps when",
        ),
        ("dino", {"temperature": {"warmup": 0.5}}, "method.temperature.warmup=0.5: expected a number of steps"),
        ("dino", {"centering": {"kind": "mean"}}, "no centering 'mean': use softmax or sinkhorn"),
        ("dinov2", {"centering": {"kind": "mean"}}, "no centering 'mean': use softmax or sinkhorn"),
        ("denoising", {"corruption": "blur"}, "no corruption 'blur': use mask, salt_and_pepper, gaussian"),
        (
            "data2vec",
            {"mask": {"min_block": 99}},
            "mask.min_block=99, but 9 of 16 patches are masked; lower method.mask.",
        ),
        ("data2vec", {"top_blocks": 3}, "data2vec reads the last 3 of 2 blocks; lower method.top_blocks"),
        (
            "data2vec_audio",
            {"mask": {"span": 5}},
            "data2vec_audio masks 2 of 4 rows of patches in spans of 5: take longer sounds",
        ),
        ("ajepa", {"bands": {"num_time": 5}}, "method.bands.num_time=5 of 4 targets (method.blocks)"),
        ("ajepa", {"bands": {"num_time": 4}}, "4 bands of up to 1 of 4 patches may leave no context; lower time_scale"),
        ("cpc", {"negatives_from": "speaker"}, "method.negatives_from='speaker': use batch or sound"),
        (
            "cpc",
            {"steps_ahead": 16},
            "cpc predicts 16 steps ahead in sounds of 16 frames: take longer ones (method.audio",
        ),
        (
            "mc_jepa",
            {"encoder": {"name": "vit_tiny", "patch_size": 2}},
            "mc_jepa needs maps of several sizes: use an encoder resnet18 ... or resnet, not 'vit_tiny'",
        ),
        ("ac_jepa", {"features": "all"}, "method.features='all'; use tokens or pooled"),
        ("ac_jepa", {"rollout": 4}, "method.rollout=4 of clips of method.video.frames=4; use 1 to 3"),
        ("apc", {"steps_ahead": 0}, "apc predicts 0 steps ahead in spectrograms of 16 frames: take longer sounds"),
        ("wav2vec2", {"mask": {"ratio": 0.05, "span": 2}}, "wav2vec2 masks 1 of 16 frames in spans of 2: take longer"),
        (
            "simclr",
            {"image": small.image() | {"size": 9}},
            "pictures of 8x8 are smaller than crops of 9: lower method.image",
        ),
    ],
)
def test_a_wrong_option_is_one_line_that_names_it(name, given, message):
    with pytest.raises(ValueError) as error:
        build(name, **given)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_a_group_of_another_kind_is_no_group():
    with pytest.raises(
        ValueError, match="^method.image=MultiCrop.*: expected ImageInput, or a mapping of what differs"
    ):
        build("simclr", image=options.MultiCrop())


def test_an_unknown_method_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="^no method 'simclir'; did you mean 'simclr'\\?$"):
        methods.build("simclir", spec=small.SPEC)


def test_groups_are_dataclasses_or_what_differs_from_the_defaults():
    default = REGISTRY["swav"].options["crops"].default
    assert default.global_scale == (0.14, 1.0)
    complete = methods.complete_options("swav", {"crops": {"num_local": 3}, "temperature": 1, "projector": [8, 4]})
    assert complete["crops"] == dataclasses.replace(default, num_local=3)  # SwAV's own areas stay
    assert complete == methods.complete_options("swav", {**complete})
    assert complete["temperature"] == 1.0 and isinstance(complete["temperature"], float)
    assert complete["projector"] == (8, 4) and complete["epsilon"] == 0.05
    assert complete.keys() == REGISTRY["swav"].options.keys()


def test_a_dataclass_and_a_mapping_make_the_same_method():
    head = {"hidden": 5, "bottleneck": 4, "prototypes": 7}

    def shapes(**changes):
        method = build("dino", **changes)
        batch = {field: jnp.zeros((2, *small.SPEC[field].shape), jnp.uint8) for field in method.fields}
        batch["index"] = jnp.arange(2)
        return jax.eval_shape(lambda key: method.init(key, make_views(method, key, 0, batch)[0]), jax.random.key(0))

    of_mapping = shapes(head=head, crops={"num_local": 1, "local_size": 4})
    assert of_mapping == shapes(head=options.PrototypeHead(**head), crops=options.MultiCrop(1, 4))
    assert of_mapping != shapes(head=head | {"prototypes": 8})


def test_another_encoder_has_other_options():
    complete = methods.complete_options("ijepa", {"encoder": {"patch_size": 16}})
    assert complete["encoder"]["name"] == "vit_huge" and complete["encoder"]["patch_size"] == 16
    assert methods.complete_options("ijepa", {"encoder": {"name": "vit_tiny"}})["encoder"] == {"name": "vit_tiny"}


def test_lengths_are_the_options_that_are_given_in_time():
    found = {name: methods.lengths(name) for name in NAMES if methods.lengths(name)}
    warmup = ["temperature.warmup"]
    assert found == {
        "dino": warmup,
        "ibot": warmup,
        "dinov2": warmup,
        "swav": ["queue_start"],
        "wav2vec2": ["codes.anneal"],
        "vjepa2_1": ["context.start", "context.full"],
        "ajepa": ["bands.start", "bands.full"],
    }


def test_balanced_targets_couple_the_examples():
    assert not build("dino").coupled
    assert "balanced" in build("dino", centering={"kind": "sinkhorn"}).coupled


def test_a_method_with_classes_needs_their_number():
    with pytest.raises(ValueError, match="^supervised needs the names of the classes"):
        methods.build("supervised", spec=small.SPEC, **CASES["supervised"].options)


@pytest.mark.parametrize("name", ["causal_lm", "clip", "masked_lm", "siglip"])
def test_a_method_that_reads_words_needs_their_number(name):
    text = {"name": "transformer", "width": 8, "depth": 1, "heads": 2}
    changes = {"encoder": text} if name.endswith("_lm") else {"text_encoder": text}
    with pytest.raises(ValueError, match="^the encoder transformer reads tokens: .*vocabulary"):
        methods.build(name, spec=small.SPEC, **CASES[name].options | changes)
