"""How sounds enter: groups of options as those in `jssl.methods.options`, for waves and for spectrograms."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jssl.methods.options import Given
from jssl.views.audio import masks, spectrogram, waves

__all__ = ["AudioInput", "SpanMask", "Spectrogram", "SpectrogramInput", "Wave"]


class Wave(NamedTuple):
    """A wave as networks read it.

    Attributes:
      audio: (T,) float32, zero behind the true length.
      length: () int32, how many samples are sound.
    """

    audio: jax.Array
    length: jax.Array


class Spectrogram(NamedTuple):
    """A log-mel spectrogram as networks read it: a picture of one channel, time downwards.

    Attributes:
      image: (F, M, 1) float32, zero behind the true frames.
      frames: () int32, how many frames hold sound.
    """

    image: jax.Array
    frames: jax.Array


@dataclasses.dataclass(frozen=True)
class AudioInput:
    """How waves enter: both the random view and the deterministic one, so that the two never disagree.

    Attributes:
      samples: of a crop; None takes the whole window of the source. What a sound is shorter is zeros.
      speed: the view is played up to so much faster or slower, 0.1 say, pitch and all.
      gain: the view is up to so many decibels louder or softer; a wave of unit variance does not show it.
      noise: decibels, from and to: how far below the sound white noise lies; None is no noise.
      normalize: unit variance over the true length. The mean is taken off always.
    """

    samples: int | None = None
    speed: float = 0.0
    gain: float = 0.0
    noise: tuple[float, float] | None = None
    normalize: bool = True

    def __post_init__(self):
        if self.samples is not None and self.samples < 1:
            raise ValueError(f"method.audio.samples={self.samples}; use at least 1, or leave it out")
        if not 0 <= self.speed < 1 or self.gain < 0:
            raise ValueError(f"method.audio: speed={self.speed}, gain={self.gain}; use 0 to below 1, and at least 0")

    def size(self, given: Given) -> int:
        """T, the samples of a view."""
        return self.samples or given.spec["audio"].shape[0]

    def view(self, given: Given) -> "RandomWave":
        """The random view: (key, example) -> `Wave` of (T,)."""
        return RandomWave(self, self.size(given))

    def prepare(self, given: Given) -> "PreparedWave":
        """The deterministic view, for readouts: example -> `Wave` of (T,), the middle of a sound that is longer."""
        return PreparedWave(self, self.size(given))


@dataclasses.dataclass(frozen=True)
class RandomWave:
    """A crop at a random place, and what `AudioInput` says: ``view(key, example) -> Wave``."""

    options: AudioInput
    size: int

    def __call__(self, key: jax.Array, example: Mapping) -> Wave:
        speed_key, crop_key, gain_key, power_key, noise_key = jax.random.split(key, 5)
        wave, length, options = waves.to_wave(example["audio"]), _length(example), self.options
        if options.speed:
            factor = jax.random.uniform(speed_key, (), jnp.float32, 1 - options.speed, 1 + options.speed)
            wave, length = waves.change_speed(wave, length, factor)
        wave, length = waves.crop_wave(wave, length, waves.random_start(crop_key, length, self.size), self.size)
        if options.gain:
            wave = waves.change_gain(wave, jax.random.uniform(gain_key, (), jnp.float32, -options.gain, options.gain))
        if options.noise is not None:
            snr = jax.random.uniform(power_key, (), jnp.float32, *map(float, options.noise))
            wave = waves.add_noise(noise_key, wave, length, snr)
        return Wave(waves.standardize_wave(wave, length, variance=options.normalize), length)


@dataclasses.dataclass(frozen=True)
class PreparedWave:
    """The middle of a sound: ``prepare(example) -> Wave``."""

    options: AudioInput
    size: int

    def __call__(self, example: Mapping) -> Wave:
        wave, length = waves.to_wave(example["audio"]), _length(example)
        wave, length = waves.crop_wave(wave, length, jnp.maximum(length - self.size, 0) // 2, self.size)
        return Wave(waves.standardize_wave(wave, length, variance=self.options.normalize), length)


def _length(example: Mapping) -> jax.Array:
    """The true length; all of it where the data do not say."""
    return example.get("length", jnp.int32(example["audio"].shape[0]))


@dataclasses.dataclass(frozen=True)
class SpectrogramInput:
    """How spectrograms are made of waves, see ``views.log_mel``.

    Attributes:
      window: milliseconds.
      hop: milliseconds from frame to frame.
      mels: bands.
      low: Hz, the lower end of the first band; the last ends at half the sample rate.
      floor: power below which nothing is told apart, beside a wave of unit variance.
      mean: that is taken off; None takes off each spectrogram's own, over its true frames.
      std: that is divided by; None takes each spectrogram's own.
      hidden_frames: the view hides a band of up to so many frames (SpecAugment).
      hidden_mels: likewise of bands.
    """

    window: float = 25.0
    hop: float = 10.0
    mels: int = 128
    low: float = 20.0
    floor: float = 1e-3
    mean: float | None = None
    std: float | None = None
    hidden_frames: int = 0
    hidden_mels: int = 0

    def hop_samples(self, given: Given) -> int:
        """Samples from frame to frame.

        Raises:
          ValueError: nobody has told the sample rate.
        """
        return max(1, round(self.hop * _rate(given) / 1000))

    def shape(self, given: Given, audio: AudioInput) -> tuple[int, int]:
        """(F, M): frames and bands of a spectrogram."""
        return audio.size(given) // self.hop_samples(given), self.mels

    def view(self, given: Given, audio: AudioInput) -> "RandomSpectrogram":
        """The random view: (key, example) -> `Spectrogram`."""
        return RandomSpectrogram(self, audio.view(given), _rate(given), self.hop_samples(given))

    def prepare(self, given: Given, audio: AudioInput) -> "PreparedSpectrogram":
        """The deterministic view, for readouts: example -> `Spectrogram`."""
        return PreparedSpectrogram(self, audio.prepare(given), _rate(given), self.hop_samples(given))

    def of(self, wave: Wave, rate: int, hop: int) -> Spectrogram:
        """Of a wave."""
        window = max(hop, round(self.window * rate / 1000))
        found = spectrogram.log_mel(
            wave.audio, sample_rate=rate, window=window, hop=hop, mels=self.mels, low=self.low, floor=self.floor
        )
        frames = spectrogram.true_frames(wave.length, hop)
        return Spectrogram(spectrogram.standardize_spectrogram(found, frames, self.mean, self.std)[..., None], frames)


@dataclasses.dataclass(frozen=True)
class RandomSpectrogram:
    """The spectrogram of a random wave: ``view(key, example) -> Spectrogram``."""

    options: SpectrogramInput
    wave: RandomWave
    rate: int
    hop: int

    def __call__(self, key: jax.Array, example: Mapping) -> Spectrogram:
        wave_key, frames_key, mels_key = jax.random.split(key, 3)
        made = self.options.of(self.wave(wave_key, example), self.rate, self.hop)
        image = made.image[..., 0]
        if self.options.hidden_frames:
            image = masks.time_mask(frames_key, image, self.options.hidden_frames)
        if self.options.hidden_mels:
            image = masks.frequency_mask(mels_key, image, self.options.hidden_mels)
        return made._replace(image=image[..., None])


@dataclasses.dataclass(frozen=True)
class PreparedSpectrogram:
    """The spectrogram of the middle of a sound: ``prepare(example) -> Spectrogram``."""

    options: SpectrogramInput
    wave: PreparedWave
    rate: int
    hop: int

    def __call__(self, example: Mapping) -> Spectrogram:
        return self.options.of(self.wave(example), self.rate, self.hop)


@dataclasses.dataclass(frozen=True)
class SpanMask:
    """Spans of frames that a network does not see, see ``views.span_mask``.

    Attributes:
      ratio: share of the true frames that is masked, the same in every example. The authors start spans at 6.5 % of the
        frames, of which overlaps leave about 49 %.
      span: frames of a span.
    """

    ratio: float = 0.49
    span: int = 10


def _rate(given: Given) -> int:
    if not given.about.sample_rate:
        raise ValueError("a spectrogram needs the sample rate: the data set must say it (about.sample_rate)")
    return given.about.sample_rate
