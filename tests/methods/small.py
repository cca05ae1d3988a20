"""Networks and data small enough that a person can redo a method's whole forward pass: NumPy in float64 computes what jax
computes in float32, from the same parameters."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import erf

from jssl import data, methods
from jssl.models import Features

BATCH, SIDE, PATCH, WIDTH, WORDS, LENGTH, FRAMES = 4, 8, 2, 6, 11, 7, 4
SAMPLES, RATE, HOP, MELS = 128, 1600, 8, 6  # of a sound; samples of a frame, and bands of its spectrum
PLACES = (SIDE // PATCH) ** 2
MEAN, STD = 0.4, 0.25
COLOURS = np.array([[1.0, 0.3, 0.2], [0.2, 1.0, 0.4], [0.3, 0.1, 1.0], [0.9, 0.8, 0.1]])


def examples() -> dict[str, np.ndarray]:
    """A batch with every field. The colour of a picture, and the words of its captions, are those of no other. A clip is its
    picture, moving to the right."""
    rng = np.random.default_rng(0)
    slope = np.linspace(0.0, 0.6, SIDE)
    across = np.broadcast_to(slope, (SIDE, SIDE))  # crops from other places differ in their mean
    brightness = np.stack([across, across.T, across[:, ::-1], across.T[::-1]]) + rng.uniform(
        0, 0.4, (BATCH, SIDE, SIDE)
    )
    image = 255 * brightness[..., None] * COLOURS[:, None, None]
    captions = rng.integers(0, 2, (BATCH, 2, LENGTH)) + 1 + 2 * np.arange(BATCH).reshape(-1, 1, 1)
    captions[:, :, 5:] = 0  # padding
    captions[1, 0, 3:] = 0
    segments = np.array([[1, 1, 1, 2, 2, 2, 2], [1, 1, 1, 1, 1, 0, 0], [1, 2, 2, 2, 3, 3, 0], [1, 1, 1, 1, 1, 1, 1]])
    lengths = np.array([SAMPLES, 100, SAMPLES, 72])
    time = np.arange(SAMPLES) / RATE
    tones = np.sin(2 * np.pi * np.array([[90.0], [180.0], [330.0], [600.0]]) * time)
    audio = (
        8000
        * (tones + 0.3 * np.random.default_rng(1).normal(size=tones.shape))
        * (np.arange(SAMPLES) < lengths[:, None])
    )
    batch = {
        "image": np.round(image).astype(np.uint8),
        "video": np.stack([np.roll(np.round(image), t, 2) for t in range(FRAMES)], 1).astype(np.uint8),
        "actions": np.random.default_rng(2).normal(size=(BATCH, FRAMES - 1, 2)).astype(np.float32),
        "label": np.array([2, 0, 2, 1], np.int32),
        "captions": captions.astype(np.int32),
        "tokens": np.where(segments > 0, rng.integers(1, WORDS, segments.shape), 0).astype(np.int32),
        "segments": segments.astype(np.int32),
        "audio": audio.astype(np.int16),
        "length": lengths.astype(np.int32),
    }
    return batch | {"index": np.arange(BATCH, dtype=np.int32)}


ABOUT = data.About(class_names=("a", "b", "c"), vocabulary=WORDS, sample_rate=RATE)
SPEC = {name: jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for name, x in examples().items() if name != "index"}


def build(name: str, **options) -> methods.Method:
    """A method for ``examples()``."""
    return methods.build(name, spec=SPEC, about=ABOUT, **options)


def image(**augment) -> dict:
    """Options of ``ImageInput``: crops and flips, the same for every method; colours stay as they are."""
    off = {"jitter_prob": 0.0, "gray_prob": 0.0, "blur_prob": 0.0, "solarize_prob": 0.0}
    crops = {"crop_scale": (0.2, 0.8), "flip_prob": 0.5, "interpolation": "bilinear"}
    return {"size": SIDE, "mean": (MEAN,) * 3, "std": (STD,) * 3, "augment": off | crops | augment}


def video(**augment) -> dict:
    """Options of ``VideoInput``, as those of ``image``."""
    return image(**augment) | {"frames": FRAMES, "stride": 1}


WHOLE = image(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip_prob=0.0)
"""Nothing is cropped: a view is the picture."""


def normalized(image: np.ndarray) -> np.ndarray:
    """uint8 pictures as a network sees them."""
    return (image / 255.0 - MEAN) / STD


class Small:
    """A Network whose ``features(xp, params, ...)`` is the same function in NumPy and in jax.numpy."""

    def init(self, key, *inputs, **options):
        del inputs, options
        shapes = self.shapes()
        keys = jax.random.split(key, len(shapes))
        return {name: 0.5 * jax.random.normal(k, shape) for k, (name, shape) in zip(keys, shapes.items())}, {}

    def apply(self, params, batch_stats, *inputs, train, keys, axis_name, **options):
        del train, keys, axis_name
        return self.features(jnp, params, *inputs, **options), batch_stats

    def __call__(self, params, *inputs, **options) -> Features:
        return self.features(np, params, *inputs, **options)

    shapes: Callable
    features: Callable


@dataclasses.dataclass(frozen=True)
class Patches(Small):
    """An encoder of patches: each of its blocks mixes a token with the mean of all of them."""

    patch_size: int = PATCH
    width: int = WIDTH
    depth: int = 2
    pool: str = "token"
    channels: int = 3

    def shapes(self):
        places = (SIDE // self.patch_size) ** 2
        blocks = {f"block{i}": (self.width, self.width) for i in range(self.depth)}
        front = {"patch": (self.channels * self.patch_size**2, self.width), "places": (places, self.width)}
        return front | {"mask_token": (self.width,), "class_token": (self.width,)} | blocks

    def cut(self, xp, images):
        """The values of the patches."""
        return patches(xp, images, self.patch_size)

    def features(self, xp, params, images, *, indices=None, token_mask=None, masked=None, last=0):
        tokens = self.cut(xp, images) @ params["patch"]
        if masked is not None:
            tokens = xp.where(masked[..., None], params["mask_token"][None, None], tokens)
        tokens = tokens + params["places"][None, : tokens.shape[1]]
        if indices is not None:
            tokens = xp.take_along_axis(tokens, indices[..., None], 1)
        layers = []
        for i in range(self.depth):
            tokens = xp.tanh(tokens @ params[f"block{i}"] + mean_of(xp, tokens, token_mask)[:, None])
            layers.append(tokens)
        pooled = xp.tanh(mean_of(xp, tokens, token_mask) + params["class_token"][None])
        return Features(pooled, tokens, xp.stack(layers[-last:]) if last else None)


@dataclasses.dataclass(frozen=True)
class Tubelets(Patches):
    """The same of clips, whose patches are of two frames."""

    tubelet: int = 2

    def shapes(self):
        times = FRAMES // self.tubelet
        return super().shapes() | {
            "patch": (self.tubelet * 3 * self.patch_size**2, self.width),
            "places": (times * (SIDE // self.patch_size) ** 2, self.width),
        }

    def cut(self, xp, clips):
        return tubelets(xp, clips, self.tubelet, self.patch_size)


@dataclasses.dataclass(frozen=True)
class Stages(Small):
    """An encoder of two stages: patches, and four of these as one."""

    def shapes(self):
        return {"patch": (3 * PATCH**2, WIDTH), "merge": (4 * WIDTH, WIDTH)}

    def features(self, xp, params, images, *, pyramid=False):
        side = SIDE // PATCH
        fine = xp.tanh(patches(xp, images, PATCH) @ params["patch"]).reshape(-1, side, side, WIDTH)
        tokens = xp.tanh(patches(xp, fine, 2) @ params["merge"])
        coarse = tokens.reshape(-1, side // 2, side // 2, WIDTH)
        return Features(tokens.mean(1), tokens, pyramid=(fine, coarse) if pyramid else None)


@dataclasses.dataclass(frozen=True)
class Words(Small):
    """An encoder of rows of tokens: a word is mixed with the mean of the words of its document, or of those before it."""

    causal: bool = False
    words: int = WORDS

    def shapes(self):
        return {"embedding": (self.words, WIDTH), "block": (WIDTH, WIDTH)}

    def features(self, xp, params, tokens, *, segments):
        x = params["embedding"][tokens]
        seen = segments[:, :, None] == segments[:, None, :]
        if self.causal:
            seen = seen & np.tril(np.ones((LENGTH, LENGTH), bool))[None]
        seen = xp.where(seen, 1.0, 0.0)
        x = xp.tanh(x @ params["block"] + seen @ x / seen.sum(-1, keepdims=True))
        return Features(mean_of(xp, x, segments > 0), x)


@dataclasses.dataclass(frozen=True)
class Waves(Small):
    """An encoder of waves: a frame is mixed with the mean of all true ones, or of those so far."""

    causal: bool = False

    def shapes(self):
        return {"frame": (HOP, WIDTH), "mask_token": (WIDTH,), "block": (WIDTH, WIDTH)}

    def frames(self, samples):
        return samples // HOP

    def features(self, xp, params, audio, *, length, masked=None):
        local = xp.tanh(audio.reshape(len(audio), -1, HOP) @ params["frame"])
        x = local if masked is None else xp.where(masked[..., None], params["mask_token"][None, None], local)
        return in_context(
            xp, params, x, xp.arange(x.shape[1])[None] < self.frames(length)[:, None], self.causal
        )._replace(local=local)


@dataclasses.dataclass(frozen=True)
class Spectrum(Small):
    """An encoder of the frames of a spectrogram: each is mixed with the mean of those so far."""

    def shapes(self):
        return {"frame": (MELS, WIDTH), "block": (WIDTH, WIDTH)}

    def features(self, xp, params, frames, *, real):
        return in_context(xp, params, xp.tanh(frames @ params["frame"]), real, causal=True)


def in_context(xp, params, frames, real, causal: bool) -> Features:
    """Each frame, and the mean of those that it sees."""
    count = frames.shape[1]
    if causal:
        seen = np.tril(np.ones((count, count), np.float32)) / np.arange(1, count + 1, dtype=np.float32)[:, None]
        mean = seen[None] @ frames
    else:
        mean = mean_of(xp, frames, real)[:, None]
    tokens = xp.tanh(frames @ params["block"] + mean)
    return Features(mean_of(xp, tokens, real), tokens)


def patches(xp, images, side: int):
    """(B, H, W, C) -> (B, N, side * side * C)."""
    batch, height, width, channels = images.shape
    x = images.reshape(batch, height // side, side, width // side, side, channels)
    return xp.transpose(x, (0, 1, 3, 2, 4, 5)).reshape(batch, -1, side * side * channels)


def tubelets(xp, clips, frames: int, side: int):
    """(B, T, S, S, C) -> (B, N, frames * side * side * C), the first frames first."""
    found = []
    for start in range(0, clips.shape[1], frames):
        of_frames = [patches(xp, clips[:, start + t], side) for t in range(frames)]
        found.append(xp.concatenate(of_frames, -1))
    return xp.concatenate(found, 1)


def mean_of(xp, tokens, kept):
    """(B, N, D) -> (B, D), the mean of the tokens that are kept."""
    if kept is None:
        return tokens.mean(1)
    kept = xp.where(kept, 1.0, 0.0)[..., None]
    return (tokens * kept).sum(1) / kept.sum(1)


# What papers are written in.


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def cross(targets, logits):
    """The cross-entropy of each row."""
    logits = logits - logits.max(-1, keepdims=True)
    return -(targets * (logits - np.log(np.exp(logits).sum(-1, keepdims=True)))).sum(-1)


def one_hot(labels, count):
    return np.eye(count)[labels]


def standardize(x, axis, epsilon):
    centered = x - x.mean(axis, keepdims=True)
    return centered / np.sqrt((centered**2).mean(axis, keepdims=True) + epsilon)


def smooth_l1(x, beta):
    return np.where(abs(x) < beta, x**2 / (2 * beta), abs(x) - beta / 2)


def sinkhorn(scores, temperature, iterations=3):
    """Algorithm 1 of SwAV."""
    q = np.exp(scores / temperature).T
    q /= q.sum()
    for _ in range(iterations):
        q /= q.sum(1, keepdims=True) * q.shape[0]
        q /= q.sum(0, keepdims=True) * q.shape[1]
    return (q * q.shape[1]).T


# Heads.


def linear(params, x):
    return x @ params["kernel"] + params["bias"]


def relu(x):
    return np.maximum(x, 0.0)


def gelu(x):
    return x * (1 + erf(x / np.sqrt(2))) / 2


def mlp(params, x, *, hidden=True, final=False, activation=relu):
    """``hidden`` and ``final``: which layers batch norm follows, the last without scale and bias."""
    layers = sum(name.startswith("dense") for name in params)
    for i in range(1, layers + 1):
        x = x @ params[f"dense{i}"]["kernel"]
        if final if i == layers else hidden:
            x = standardize(x, 0, 1e-5)
            if i < layers:
                x = x * params[f"norm{i}"]["scale"] + params[f"norm{i}"]["bias"]
        else:
            x = x + params[f"dense{i}"]["bias"]
        x = x if i == layers else activation(x)
    return x


def prototypes(params, x):
    return x @ unit(params["kernel"].T).T


def dino_head(params, x):
    return prototypes(params["last_layer"], unit(mlp(params["mlp"], x, hidden=False, activation=gelu)))
