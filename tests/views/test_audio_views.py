"""Waves and spectrograms, against formulas in float64 and against librosa."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import views

RATE = 8000


def sound(size=1000, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(size) / RATE
    return np.sin(2 * np.pi * 440 * time) + 0.3 * np.sin(2 * np.pi * 1900 * time) + 0.1 * rng.normal(size=size)


def log_mel_by_hand(wave, window, hop, mels, low, high, floor):
    """Sums of sines and cosines, one band and one frame at a time, in float64."""
    corners = 700 * (10 ** (np.linspace(*(2595 * np.log10(1 + np.array([low, high]) / 700)), mels + 2) / 2595) - 1)
    size = 2 * (len(views.mel_filters(RATE, window, mels, low, high)) - 1)
    frequency = np.arange(size // 2 + 1) * RATE / size
    rows = []
    for frame in range(len(wave) // hop):
        first = frame * hop - (window - hop) // 2
        taken = [wave[i] if 0 <= i < len(wave) else 0.0 for i in range(first, first + window)]
        taken = np.array(taken) * np.sin(np.pi * np.arange(window) / window) ** 2
        angle = 2 * np.pi * np.outer(frequency, np.arange(window)) / RATE
        power = (np.cos(angle) @ taken) ** 2 + (np.sin(angle) @ taken) ** 2
        bands = []
        for left, middle, right in zip(corners, corners[1:], corners[2:]):
            weight = np.interp(frequency, [left, middle, right], [0.0, 1.0, 0.0])
            bands.append(np.log(max(float(weight @ power), floor)))
        rows.append(bands)
    return np.array(rows)


@pytest.mark.parametrize(("window", "hop", "mels"), [(200, 80, 24), (257, 100, 40)])
def test_log_mel_is_the_formula(window, hop, mels):
    wave = sound()
    made = jax.jit(lambda x: views.log_mel(x, sample_rate=RATE, window=window, hop=hop, mels=mels))(
        jnp.asarray(wave, jnp.float32)
    )
    expected = log_mel_by_hand(wave, window, hop, mels, 20.0, RATE / 2, 1e-3)
    assert made.shape == (len(wave) // hop, mels) and expected.min() > np.log(1e-3)
    np.testing.assert_allclose(made, expected, atol=2e-3)


@pytest.mark.slow
def test_log_mel_is_that_of_librosa():
    import librosa

    wave, window, hop, mels = sound(4000), 200, 80, 40
    filters = views.mel_filters(RATE, window, mels, 20.0, 4000.0)
    size = 2 * (len(filters) - 1)
    theirs = librosa.filters.mel(sr=RATE, n_fft=size, n_mels=mels, fmin=20.0, fmax=4000.0, htk=True, norm=None)
    np.testing.assert_allclose(filters.T, theirs, atol=1e-6)
    padded = np.pad(wave, ((size - hop) // 2, size)).astype(np.float32)  # theirs are centred in the transform
    power = librosa.feature.melspectrogram(
        y=padded, sr=RATE, n_fft=size, hop_length=hop, win_length=window, center=False, n_mels=mels, fmin=20.0,
        fmax=4000.0, htk=True, norm=None,
    )  # fmt: skip
    made = views.log_mel(jnp.asarray(wave, jnp.float32), sample_rate=RATE, window=window, hop=hop, mels=mels)
    np.testing.assert_allclose(made, np.log(np.maximum(power.T[: len(made)], 1e-3)), atol=2e-3)


def test_every_band_has_a_bin():
    for rate, window, mels in ((16_000, 400, 128), (8000, 64, 40), (1600, 64, 8)):
        assert views.mel_filters(rate, window, mels, 20.0, rate / 2).max(0).min() > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hop": 300}, "a window of 200 samples and a hop of 300"),
        ({"hop": 0}, "a hop of 0"),
        ({"low": 5000.0}, "24 bands from 5000.0 to 4000.0 Hz"),
        ({"mels": 0}, "0 bands"),
    ],
)
def test_wrong_sizes_are_named(changes, message):
    options = {"sample_rate": RATE, "window": 200, "hop": 80, "mels": 24} | changes
    with pytest.raises(ValueError, match=message):
        views.log_mel(jnp.zeros(1000), **options)


def test_noise_lies_as_far_below_the_sound_as_asked():
    wave = jnp.asarray(sound(8000), jnp.float32)
    noisy = views.add_noise(jax.random.key(0), wave, jnp.int32(6000), jnp.float32(10.0))
    noise = np.asarray(noisy - wave)
    assert not noise[6000:].any()
    ratio = 10 * np.log10(np.mean(np.square(wave[:6000])) / np.mean(noise[:6000] ** 2))
    assert abs(ratio - 10) < 0.3


def test_faster_is_higher_and_shorter():
    wave = jnp.asarray(np.sin(2 * np.pi * 200 * np.arange(2000) / RATE), jnp.float32)
    fast, length = views.change_speed(wave, jnp.int32(2000), jnp.float32(1.25))
    assert int(length) == 1600 and not np.asarray(fast[1600:]).any()
    expected = np.sin(2 * np.pi * 250 * np.arange(1500) / RATE)
    np.testing.assert_allclose(fast[:1500], expected, atol=0.02)
    slow, length = views.change_speed(wave, jnp.int32(1000), jnp.float32(0.5))
    assert int(length) == 1999 and not np.asarray(slow[1999:]).any()
    np.testing.assert_allclose(slow[:1998:2], wave[:999], atol=1e-5)


def test_a_wave_is_standardised_over_what_is_sound():
    wave = jnp.asarray(np.where(np.arange(100) < 60, 0.2 + 0.1 * sound(100), 5.0), jnp.float32)
    made = np.asarray(views.standardize_wave(wave, jnp.int32(60)))
    assert abs(made[:60].mean()) < 1e-5 and abs(made[:60].std() - 1) < 1e-3 and not made[60:].any()
    silent = views.standardize_wave(jnp.zeros(8), jnp.int32(0))
    assert not np.asarray(silent).any()


def test_masks_hide_bands_of_every_width_and_place():
    keys = jax.random.split(jax.random.key(0), 400)
    in_time = np.asarray(jax.jit(jax.vmap(lambda key: views.time_mask(key, jnp.ones((6, 3)), 2)))(keys)) == 0
    assert (in_time.all(2) == in_time.any(2)).all()  # whole frames
    widths = in_time[:, :, 0].sum(1)
    assert set(widths) == {0, 1, 2} and (in_time[:, :, 0][widths == 1].sum(0) > 5).all()
    in_bands = np.asarray(jax.jit(jax.vmap(lambda key: views.frequency_mask(key, jnp.ones((6, 3)), 9)))(keys)) == 0
    assert set(in_bands[:, 0].sum(1)) == {0, 1, 2, 3} and (in_bands.all(1) == in_bands.any(1)).all()


def test_whole_rows_and_columns_of_patches_are_hidden():
    keys = jax.random.split(jax.random.key(1), 300)
    draw = jax.jit(jax.vmap(lambda key: views.time_frequency_mask(key, (4, 3), (2, 2))))
    kept, removed, restore, mask = draw(keys)
    seen = 1 - np.asarray(mask).reshape(-1, 4, 3)
    rows, columns = seen.any(2), seen.any(1)
    assert (seen == rows[..., None] * columns[:, None]).all()
    assert (rows.sum(1) == 2).all() and (columns.sum(1) == 2).all()
    assert rows.mean(0).min() > 0.4 and columns.mean(0).min() > 0.55  # a half and two thirds
    assert kept.shape == (300, 4) and removed.shape == (300, 8)
    order = np.concatenate([kept, removed], 1)
    assert (np.take_along_axis(order, np.asarray(restore), 1) == np.arange(12)).all()
    assert (np.take_along_axis(np.asarray(mask), np.asarray(kept), 1) == 0).all()
