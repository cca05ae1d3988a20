"""Examples as pictures: what people look at in place of a picture, a clip or a sound."""

from collections.abc import Callable, Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from PIL import Image

from jssl import methods
from jssl.data.source import About, Spec
from jssl.methods.options import Given, ImageInput
from jssl.views.audio.spectrogram import log_mel
from jssl.views.audio.waves import to_wave

__all__ = ["DRAWN", "FRAMES", "field_of", "some", "spectrogram", "statistics", "stretched", "thumb", "turned", "whole"]

FRAMES = 8
"""Frames of a clip that are drawn, at most."""
_COLUMNS, _BANDS = 128, 64  # of a spectrogram, about


def some(frames: Sequence | np.ndarray) -> list:
    """Up to ``FRAMES`` of the frames of a clip, or of what there is of each, the first and the last among them.

    >>> some(range(15))
    [0, 2, 4, 6, 8, 10, 12, 14]
    """
    count = len(frames)
    return [frames[i] for i in np.linspace(0, count - 1, min(count, FRAMES)).round().astype(int)]


def spectrogram(wave: np.ndarray, sample_rate: int | None) -> np.ndarray:
    """The log-mel spectrogram of a wave (T,), int16 or float, in [0, 1]: time downwards, (F, M, 1).

    >>> spectrogram(np.sin(np.arange(8000.0)), 8000).shape
    (129, 64, 1)
    """
    rate, hop = sample_rate or 16_000, max(1, len(wave) // _COLUMNS)
    window = max(2 * hop, rate // 40)
    found = np.asarray(log_mel(to_wave(jnp.asarray(wave)), sample_rate=rate, window=window, hop=hop, mels=_BANDS))
    return stretched(found)[..., None]


def stretched(values: np.ndarray) -> np.ndarray:
    """Brought to [0, 1]."""
    return (values - values.min()) / max(float(values.max() - values.min()), 1e-12)


def statistics(config, spec: Spec, about: About) -> dict[str, np.ndarray]:
    """``mean`` and ``std`` that a run's pictures or frames are normalised by; middling ones where it reads none."""
    options = config.method.to_dict()
    options = methods.complete_options(options.pop("name"), options)
    entrance = next((option for option in options.values() if isinstance(option, ImageInput)), None)
    found = entrance.statistics(Given(spec, about)) if entrance else {"mean": 0.5, "std": 0.25}
    return {name: np.asarray(value) for name, value in found.items()}


def turned(picture: np.ndarray) -> np.ndarray:
    """A spectrogram (F, M, ...) as people read it: time to the right, frequency upwards, and a few bands drawn thick."""
    times = max(1, _BANDS // picture.shape[1])
    return np.swapaxes(picture, 0, 1)[::-1].repeat(times, 0).repeat(times, 1)


DRAWN: dict[str, Callable[[np.ndarray, About], list[np.ndarray]]] = {
    "image": lambda image, about: [image],
    "video": lambda video, about: some(video),
    "audio": lambda audio, about: [turned(spectrogram(audio, about.sample_rate))],
}
"""Field -> (its value in one example, what is known of the data) -> pictures of it, (H, W, C) uint8 or in [0, 1]."""


def field_of(spec: Spec | Mapping) -> str | None:
    """The field of an example that is drawn; None where there is nothing to look at."""
    return next((field for field in DRAWN if field in spec), None)


def whole(example: Mapping, about: About) -> list[np.ndarray]:
    """What is drawn of an example: a picture, frames of a clip, the spectrogram of a sound; nothing of others."""
    field = field_of(example)
    return [] if field is None else DRAWN[field](np.asarray(example[field]), about)


def thumb(example: Mapping, about: About, side: int) -> np.ndarray:
    """One small picture of an example, of a clip its middle frame, in its true shape; its longer side is ``side``."""
    pictures = whole(example, about)
    image = np.asarray(pictures[len(pictures) // 2])
    if image.dtype != np.uint8:
        image = np.round(image * 255).astype(np.uint8)
    size = example.get("size", image.shape[:2])
    height, width = (max(1, round(side * part / max(size))) for part in size)
    image = image[..., 0] if image.shape[-1] == 1 else image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
