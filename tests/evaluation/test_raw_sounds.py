"""The raw input of sounds: the mean spectrum of what is sound."""

import numpy as np
import pytest

from jssl.data import About, ArraySource
from jssl.evaluation import baselines


def tones(pitches, length=400, rate=8000):
    time = np.arange(800) / rate
    audio = 8000 * np.sin(2 * np.pi * np.array(pitches)[:, None] * time)
    audio[:, length:] = 12_345  # which nobody may read
    return ArraySource(
        {"audio": audio.astype(np.int16), "length": np.full(len(audio), length)}, About(sample_rate=rate)
    )


def test_the_mean_spectrum_tells_pitches_apart_and_reads_no_padding():
    train, test = baselines.raw(tones([300, 600, 1200]), tones([300, 600, 1200], length=560))
    assert train.shape == (3, 64) and train.dtype == np.float32
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-4)
    near = np.abs(train[:, None] - test).mean(2)  # another length, the same spectrum
    assert (near.argmin(1) == np.arange(3)).all() and near.diagonal().max() < 1 < near[0, 1]


def test_rates_must_be_known_and_the_same():
    with pytest.raises(ValueError, match="sounds of one sample rate, not 8000 and 16000"):
        baselines.raw(tones([300]), tones([300], rate=16_000))
