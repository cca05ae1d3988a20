"""Sounds made by code: the same on every machine, with a class that pitch and loudness do not tell."""

import numpy as np
import pytest

from jssl.data import open_source, stack
from jssl.data.synthetic.sound import SyntheticSoundSource


def test_an_example_is_what_the_spec_says_and_does_not_depend_on_the_others():
    source = SyntheticSoundSource(num_examples=30, seconds=0.25)
    arrays = stack(source)
    assert arrays["audio"].shape == (30, 2000) and arrays["audio"].dtype == np.int16
    assert set(arrays["label"]) == set(range(10)) and source.about.sample_rate == 8000
    other = SyntheticSoundSource(num_examples=12, seconds=0.25)[11]
    assert all((other[name] == arrays[name][11]).all() for name in arrays)
    for audio, length in zip(arrays["audio"], arrays["length"]):
        assert 1200 <= length <= 2000 and not audio[length:].any() and np.abs(audio[:length].astype(int)).max() > 300
    # As they were when the version was set: raise the version when they change.
    assert arrays["audio"][3, 1000:1004].tolist() == [1246, 2494, 2915, -968]
    assert arrays["length"][:3].tolist() == [1414, 1785, 1715]


def test_splits_and_seeds_differ_and_options_are_told_apart():
    def audio(split="train", **options):
        return SyntheticSoundSource(split, num_examples=10, seconds=0.1, **options)

    plain = audio()
    for other in (audio("test"), audio(seed=1)):
        assert (other[0]["audio"] != plain[0]["audio"]).any() and other.fingerprint != plain.fingerprint
    assert audio(rate=4000).fingerprint != plain.fingerprint and audio().fingerprint == plain.fingerprint
    assert len(audio("test")) == 2


def test_pitch_follows_the_motion_of_the_shape():
    source = SyntheticSoundSource(num_examples=40, seconds=1.0)
    rows = [i for i in range(40) if i % 10 == 0]  # circles: one pure tone
    for index in rows:
        example = source[index]
        audio = example["audio"][: example["length"]].astype(float)
        thirds = [
            np.abs(np.fft.rfft(part * np.hanning(len(part)), 16_000)).argmax() / 2
            for part in np.array_split(audio[len(audio) // 4 :], 3)
        ]
        assert 70 < min(thirds) and max(thirds) < 330
        start, end = source._world.height(index, np.array([0.4, 0.9]) * example["length"] / 1000)
        if abs(end - start) > 0.25:
            assert (thirds[2] > thirds[0]) == (end > start)


@pytest.mark.parametrize("spec", ["num_examples=0", "rate=10", "seconds=0.001"])
def test_options_out_of_range_are_named(spec):
    with pytest.raises(ValueError, match=spec.partition("=")[0]):
        open_source(f"synthetic_sound:{spec}")
