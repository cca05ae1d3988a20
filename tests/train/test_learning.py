"""Every method learns: after some hundred tiny steps its features tell classes apart that an untrained network mixes up,
and a language model knows what follows what.

The world has eight classes, a coarse coloured pattern each, under noise as strong as the pattern: the noise cannot be
predicted, so whatever a method predicts or compares, it must find the pattern.
"""

import functools

import jax
import numpy as np
import pytest
from harness import OPTIMISED
from rows import ROWS, WAVE

from jssl import data, methods, sharding
from jssl.evaluation import Encoder, knn
from jssl.train import optimizers, schedules
from jssl.train.state import init_state, make_views
from jssl.train.step import make_train_step

pytestmark = pytest.mark.slow
BATCH, CLASSES, STEPS = 64, 8, 150
NOISE = 0.3  # of sounds, beside a tone of amplitude one
# Enough channels and codes for four tones; nothing is dropped, and masked spans are shorter than a tone.
WAV2VEC2 = {
    "encoder": WAVE | {"layers": ((16, 10, 5), (16, 4, 4)), "width": 32, "depth": 2, "kernel": 8, "groups": 2},
    "mask": {"span": 3},
    "codes": {"entries": 8, "width": 16, "anneal": STEPS},
    "width": 16,
    "negatives": 8,
}
# Of sounds that are four tones, a row of patches each, one is hidden.
DATA2VEC_AUDIO = {"encoder": ROWS["data2vec_audio"]["encoder"] | {"width": 32}, "mask": {"ratio": 0.25, "span": 1}}
AJEPA = {
    "encoder": ROWS["ajepa"]["encoder"] | {"width": 32, "drop_path": 0.0},
    "predictor": {"width": 32, "depth": 1, "heads": 2},
    "blocks": {"min_keep": 2, "num_targets": 2},
}
LARGER = {
    "swav": {"queue_size": 64},
    "data2vec_audio": DATA2VEC_AUDIO,
    "ajepa": AJEPA,
}  # a batch must fit into the queue


def drawn(split):
    """(generator, labels) of the examples of a split."""
    count = {"train": 512, "test": 256}[split]
    return np.random.default_rng({"train": 1, "test": 2}[split]), (np.arange(count) % CLASSES).astype(np.int32)


@functools.cache
def patterns():
    """The coarse coloured pattern of each class, 16 x 16."""
    return np.random.default_rng(0).normal(size=(CLASSES, 4, 4, 3)).repeat(4, 1).repeat(4, 2)


@functools.cache
def noisy_patterns(split):
    """Pictures of 16 x 16, with labels, and captions in which one word of two names the class."""
    rng, label = drawn(split)
    image = 128 + 40 * patterns()[label] + 45 * rng.normal(size=(len(label), 16, 16, 3))
    captions = np.stack([3 + label, 20 + rng.integers(0, 8, len(label)), np.zeros(len(label))], 1).astype(np.int32)
    fields = {"image": image.clip(0, 255).astype(np.uint8), "label": label, "captions": captions[:, None]}
    names = tuple("abcdefgh")
    return data.ArraySource(fields, data.About(class_names=names, vocabulary=40, tokenizer="bytes"))


@functools.cache
def noisy_sounds(split, noise=NOISE):
    """Sounds of 512 samples at 8 kHz, with labels: of each class four tones, one after the other, under noise."""
    rng, label = drawn(split)
    tones = 400 * 2 ** (np.random.default_rng(0).uniform(0, 3, (CLASSES, 4)))
    pitch = tones[label].repeat(128, 1)
    wave = np.sin(2 * np.pi * np.cumsum(pitch, 1) / 8000 + 6 * rng.random((len(label), 1)))
    audio = 4000 * (wave + noise * rng.normal(size=wave.shape))
    fields = {"audio": audio.clip(-32768, 32767).astype(np.int16), "length": np.full(len(label), 512), "label": label}
    return data.ArraySource(fields, data.About(class_names=tuple("abcdefgh"), sample_rate=8000))


@functools.cache
def noisy_clips(split):
    """Clips of four frames of 16 x 16, with labels: a pattern that drifts, under noise that each frame has of its own."""
    rng, label = drawn(split)
    still = patterns()[label]
    video = np.stack([np.roll(still, t, 2) for t in range(4)], 1)
    video = 128 + 40 * video + 60 * rng.normal(size=video.shape)
    fields = {"video": video.clip(0, 255).astype(np.uint8), "label": label}
    return data.ArraySource(fields, data.About(class_names=tuple("abcdefgh")))


@functools.cache
def noisy_clips_with_sound(split):
    """The clips, each with a sound of the same class."""
    heard = data.stack(noisy_sounds(split))
    fields = data.stack(noisy_clips(split)) | {name: heard[name] for name in ("audio", "length")}
    return data.ArraySource(fields, data.About(class_names=tuple("abcdefgh"), sample_rate=8000))


@functools.cache
def pushed_clips(split):
    """Clips as those, but that actions push the pattern, in every frame another way."""
    rng, label = drawn(split)
    actions = rng.integers(-1, 2, (len(label), 3, 2))
    places = np.concatenate([np.zeros((len(label), 1, 2), int), actions.cumsum(1)], 1)
    video = np.array([[np.roll(patterns()[k], shift, (0, 1)) for shift in path] for k, path in zip(label, places)])
    video = 128 + 40 * video + 60 * rng.normal(size=video.shape)
    fields = {"video": video.clip(0, 255).astype(np.uint8), "actions": actions.astype(np.float32), "label": label}
    return data.ArraySource(fields, data.About(class_names=tuple("abcdefgh")))


WORLDS = {
    ("video", "audio"): noisy_clips_with_sound,
    ("audio",): noisy_sounds,
    ("actions",): pushed_clips,
    ("video",): noisy_clips,
}
"""What a method asks for -> the splits of the data that it is tried on."""


def world(name):
    """Of the pictures, or what a method asks for instead."""
    return next((make for those, make in WORLDS.items() if {*those} <= {*methods.find(name).asks}), noisy_patterns)


def train(name, source, steps):
    """(method, state before, state after) of a row of rows.py."""
    method = methods.build(name, spec=source.spec, about=source.about, **ROWS[name] | LARGER.get(name, {}))
    mesh = sharding.make_mesh(jax.devices()[:1])
    tx = optimizers.build("muon", learning_rate=schedules.warmup_cosine(5e-3, 10, steps), weight_decay=0.0)
    state, specs = init_state(method, tx, jax.random.key(1), source.spec, mesh)
    step = make_train_step(method, tx, mesh, specs, momentum=schedules.cosine(0.9, 1.0, steps))
    step = jax.jit(step, compiler_options=OPTIMISED)
    before = jax.device_get(state.replace(key=None))
    feed = data.ResidentFeed(source, mesh, seed=3, global_batch=BATCH)
    for number in range(steps):
        state, _ = step(state, feed.batch(number))
    return method, before, state


def chain(count, seed):
    """Rows of 17 tokens of which each is followed by its own successor four times of five, and by any other else."""
    rng = np.random.default_rng(seed)
    successor = np.random.default_rng(0).permutation(32)
    tokens = rng.integers(0, 32, (count, 17))
    for at in range(1, 17):
        tokens[:, at] = np.where(rng.random(count) < 0.8, successor[tokens[:, at - 1]], tokens[:, at])
    fields = {"tokens": (3 + tokens).astype(np.int32), "segments": np.ones((count, 17), np.int32)}
    return data.ArraySource(fields, data.About(vocabulary=40, tokenizer="bytes"))


# Of what is masked fewer tokens are predicted a step; and the one that follows tells, too.
@pytest.mark.parametrize(
    ("name", "steps", "least", "most"), [("causal_lm", STEPS, 1.1, 2.5), ("masked_lm", 3 * STEPS, 0.5, 2.9)]
)
def test_a_language_model_knows_what_follows_what(name, steps, least, most):
    method, _, state = train(name, chain(512, seed=1), steps)
    held_out = data.stack(chain(256, seed=2)) | {"index": np.arange(256, dtype=np.int32)}
    views, keys = make_views(method, state.key, 0, held_out)
    loss, _ = method.loss(state.params, {}, state.extra, views, keys, step=0, axis_name=None)
    # Who knows how often each token occurs, and no more, is at log 32 = 3.47; who knows the chain at 1.19:
    # -0.806 log 0.806 - 31 * 0.00625 log 0.00625.
    assert least < loss < most


def learn_frames(name, source, steps):
    """(loss before, loss after, metrics after) of a row on held-out sounds."""
    held_out = data.stack(source("test")) | {"index": np.arange(256, dtype=np.int32)}
    method, before, after = train(name, source("train"), steps)
    held_out = {field: x for field, x in held_out.items() if field in method.fields | {"index"}}

    @jax.jit
    def judge(params, extra):
        views, keys = make_views(method, jax.random.key(0), 0, held_out)
        return method.loss(params, {}, extra, views, keys, step=steps, axis_name=None)

    first, (last, aux) = judge(before.params, before.extra)[0], judge(after.params, after.extra)
    return first, last, aux.metrics


def test_wav2vec2_finds_the_masked_frame_and_uses_its_codes(monkeypatch):
    monkeypatch.setitem(LARGER, "wav2vec2", WAV2VEC2)
    _, _, metrics = learn_frames("wav2vec2", functools.partial(noisy_sounds, noise=0.1), 2 * STEPS)
    # Eight negatives: who knows nothing is at log 9. With one code in each group the loss would be 0, and 2 codes used of 16.
    assert metrics["contrastive"] < 0.75 * np.log(9) and metrics["code_perplexity"] > 8


def test_cpc_tells_what_comes_next():
    first, last, _ = learn_frames("cpc", functools.partial(noisy_sounds, noise=0.1), 3 * STEPS)
    assert last < 0.9 * first


def test_apc_says_what_comes_next():
    first, last, _ = learn_frames("apc", functools.partial(noisy_sounds, noise=0.1), STEPS)
    assert last < 0.7 * first


@pytest.mark.parametrize("name", sorted(set(methods.REGISTRY) - {"causal_lm", "masked_lm", "wav2vec2", "cpc", "apc"}))
def test_features_beat_those_of_the_untrained_encoder(name):
    sources = {split: world(name)(split) for split in ("train", "test")}
    method, before, after = train(name, sources["train"], STEPS)

    def accuracy(state):
        encoder = Encoder(method.readouts, methods.weights(state), sources)
        bank, queries = encoder.features("train"), encoder.features("test")
        predicted = knn.predict(bank, encoder.field("train", "label"), queries, num_classes=CLASSES, k=20)
        return np.mean(predicted == encoder.field("test", "label"))

    assert accuracy(after) >= accuracy(before) + 0.05  # 5 points are 13 of the 256 pictures
