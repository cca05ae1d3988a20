"""Sounds made by code from a seed: what the moving shapes of the synthetic pictures sound like."""

import hashlib

import jax
import numpy as np

from jssl.data.source import About
from jssl.data.synthetic.drawing import uniform
from jssl.data.synthetic.images import SyntheticSource
from jssl.data.synthetic.made import MadeSource
from jssl.data.synthetic.voices import HARMONICS, TIMBRES, voice

__all__ = ["SyntheticSoundSource"]

_VERSION = 1  # raise it when the sounds change
_FRAMES = 8  # of a clip in a second
_OWN = 0x50D  # sounds draw other numbers than pictures of the same seed
_DRAWS = 6 + HARMONICS


class SyntheticSoundSource(MadeSource):
    """One sound an example: the shape of `SyntheticSource` is its timbre and the class, the shape's motion its pitch.

    Pitch follows the height of the first copy of the shape in the clip of the same index, half an octave either way of a
    middle that is drawn. That middle, loudness, onset, the sound's end, the phases of its harmonics and how loud the
    noise is are drawn independently of the class.

    Examples have ``audio`` (T,) int16, ``length`` () int32, the samples before the sound's end, with zeros behind them,
    and ``label`` () int32.

    Args:
      split: "train" or "test": different examples of the same distribution.
      num_examples: examples in "train"; "test" has a fifth of it.
      seconds: T / rate.
      rate: samples per second.
      seed: of everything that is drawn.

    Raises:
      ValueError: if an option is out of range.

    >>> source = SyntheticSoundSource("test", num_examples=50, seconds=0.5)
    >>> example = source[3]
    >>> len(source), example["audio"].shape, source.about.class_names[example["label"]], source.about.sample_rate
    (10, (4000,), 'star', 8000)
    """

    OPTIONS = {"num_examples": int, "seconds": (int, float), "rate": int, "seed": int}

    def __init__(self, split="train", *, num_examples=4000, seconds=1.0, rate=8000, seed=0):
        self._samples = round(seconds * rate)
        if rate < 1000 or self._samples < 16:
            raise ValueError(f"seconds={seconds}, rate={rate}; use at least 16 samples, and 1000 a second")
        fields = {"audio": ((self._samples,), np.int16), "length": ((), np.int32), "label": ((), np.int32)}
        spec = {name: jax.ShapeDtypeStruct(shape, dtype) for name, (shape, dtype) in fields.items()}
        super().__init__(split, num_examples, spec)
        self._world = SyntheticSource(split, num_examples=num_examples, seed=seed)
        self._seed, self._rate = seed + _OWN, rate
        self.about = About(class_names=self._world.about.class_names, sample_rate=rate)
        told = repr((_VERSION, self._world.fingerprint, self._samples, rate))
        self.fingerprint = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()

    def _examples(self, index):
        made = [self._sound(int(i)) for i in index]
        return {
            "audio": np.stack([audio for audio, _ in made]),
            "length": np.array([length for _, length in made], np.int32),
            "label": (index % len(TIMBRES)).astype(np.int32),
        }

    def _sound(self, index: int) -> tuple[np.ndarray, int]:
        """(T,) int16, and how much of it is sound."""
        drawn = uniform(self._seed, self.split, np.array([index]), _DRAWS + self._samples)[0].astype(np.float64)
        middle, loud, onset, end, noise, pulse = drawn[: _DRAWS - HARMONICS]
        phases = drawn[_DRAWS - HARMONICS : _DRAWS]
        shape = index % len(TIMBRES)
        length = round(self._samples * (0.6 + 0.4 * end))
        time = np.arange(length) / self._rate
        pitch = 110 * 2 ** (middle + self._world.height(index, time * _FRAMES) - 0.5)
        tone = voice(shape, pitch, phases, self._rate)
        since = time - 0.2 * onset * length / self._rate
        decay, pulses = TIMBRES[shape, HARMONICS:]
        envelope = np.where(since > 0, np.exp(-decay * since.clip(0)), 0.0) * (since / 0.01).clip(0, 1)
        if pulses:
            envelope *= 0.5 + 0.5 * np.sin(2 * np.pi * (pulses * time + pulse))
        hiss = 0.05 * 8**noise * np.sqrt(12) * (drawn[_DRAWS : _DRAWS + length] - 0.5)
        audio = np.zeros(self._samples, np.int16)
        audio[:length] = np.rint((32767 * 0.02 * 8**loud * (envelope * tone + hiss)).clip(-32768, 32767))
        return audio, length
