"""How sounds enter: the random view and the deterministic one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

from jssl import data
from jssl.methods.audio_input import AudioInput, SpectrogramInput
from jssl.methods.options import Given

GIVEN = Given(small.SPEC, small.ABOUT)
BATCH = {name: small.examples()[name] for name in ("audio", "length")}
KEYS = jax.random.split(jax.random.key(0), small.BATCH)


def test_prepare_takes_the_whole_sound_standardised_over_its_true_length():
    wave = jax.vmap(AudioInput().prepare(GIVEN))(BATCH)
    assert wave.audio.shape == (small.BATCH, small.SAMPLES) and wave.audio.dtype == jnp.float32
    for made, length, audio in zip(np.asarray(wave.audio), BATCH["length"], BATCH["audio"].astype(float)):
        expected = (audio[:length] - audio[:length].mean()) / audio[:length].std()
        np.testing.assert_allclose(made[:length], expected, atol=1e-4)
        assert not made[length:].any()
    np.testing.assert_array_equal(wave.length, BATCH["length"])


def test_prepare_takes_the_middle_of_a_longer_sound_and_pads_a_shorter_one():
    plain = jax.vmap(AudioInput(normalize=False).prepare(GIVEN))(BATCH)
    middle = jax.vmap(AudioInput(samples=80, normalize=False).prepare(GIVEN))(BATCH)
    np.testing.assert_array_equal(middle.length, [80, 80, 80, 72])
    raw = np.asarray(BATCH["audio"][0], float)[24:104] / 32768
    np.testing.assert_allclose(middle.audio[0], raw - raw.mean(), atol=1e-5)
    longer = jax.vmap(AudioInput(samples=200, normalize=False).prepare(GIVEN))(BATCH)
    np.testing.assert_allclose(longer.audio[:, : small.SAMPLES], plain.audio, atol=1e-6)
    assert not np.asarray(longer.audio[:, small.SAMPLES :]).any()


def test_the_random_view_without_options_is_the_deterministic_one():
    seen = jax.vmap(AudioInput().view(GIVEN))(KEYS, BATCH)
    plain = jax.vmap(AudioInput().prepare(GIVEN))(BATCH)
    np.testing.assert_allclose(seen.audio, plain.audio, atol=1e-6)


def test_crops_speed_gain_and_noise_differ_from_key_to_key():
    one = {name: np.broadcast_to(x[:1], (4, *x.shape[1:])) for name, x in BATCH.items()}
    for options in (
        AudioInput(samples=60),
        AudioInput(speed=0.2),
        AudioInput(gain=12.0, normalize=False),
        AudioInput(noise=(0.0, 20.0)),
    ):
        audio = np.asarray(jax.jit(jax.vmap(options.view(GIVEN)))(KEYS, one).audio)
        assert np.isfinite(audio).all() and len({row.tobytes() for row in audio}) == 4, options


def test_a_spectrogram_is_standardised_over_its_true_frames():
    options = SpectrogramInput(window=40.0, hop=10.0, mels=8)
    assert options.shape(GIVEN, AudioInput()) == (8, 8)
    made = jax.jit(jax.vmap(options.prepare(GIVEN, AudioInput())))(BATCH)
    np.testing.assert_array_equal(made.frames, [8, 7, 8, 5])
    for image, frames in zip(np.asarray(made.image)[..., 0], np.asarray(made.frames)):
        assert abs(image[:frames].mean()) < 1e-5 and abs(image[:frames].std() - 1) < 1e-3 and not image[frames:].any()
    tones = np.asarray(made.image)[:, 2, :, 0].argmax(1)
    assert (np.diff(tones) > 0).all()  # the tones of the four sounds ascend


def test_mean_and_deviation_may_be_those_of_the_data():
    own = SpectrogramInput(window=40.0, mels=8, mean=-2.0, std=3.0).prepare(GIVEN, AudioInput())
    plain = SpectrogramInput(window=40.0, mels=8, mean=0.0, std=1.0).prepare(GIVEN, AudioInput())
    first = {name: x[0] for name, x in BATCH.items()}
    np.testing.assert_allclose(own(first).image, (plain(first).image + 2) / 3, atol=1e-5)


def test_the_random_spectrogram_hides_bands():
    options = SpectrogramInput(window=40.0, mels=8, hidden_frames=4, hidden_mels=4)
    keys = jax.random.split(jax.random.key(1), 30)
    one = {name: x[0] for name, x in BATCH.items()}
    seen = np.asarray(jax.jit(jax.vmap(options.view(GIVEN, AudioInput()), (0, None)))(keys, one).image)[..., 0] == 0
    assert {*seen.all(2).sum(1)} >= {0, 1, 2, 3} and {*seen.all(1).sum(1)} >= {0, 1, 2, 3}


def test_what_cannot_be_is_named():
    with pytest.raises(ValueError, match="^a spectrogram needs the sample rate"):
        SpectrogramInput().prepare(Given(small.SPEC, data.About()), AudioInput())
    with pytest.raises(ValueError, match="^method.audio.samples=0"):
        AudioInput(samples=0)
    with pytest.raises(ValueError, match="^method.audio: speed=1.5"):
        AudioInput(speed=1.5)
