"""Sound files of any rate and number of channels as windows of one; classes, speakers and splits by folder or name."""

import io
import tarfile

import numpy as np
import pytest
import soundfile

from jssl.data import NoSplit, open_source, stack

RATE = 800


def encode(seconds, *, pitch=50.0, rate=RATE, channels=1, kind="WAV", loud=0.5):
    """The bytes of a tone."""
    time = np.arange(round(seconds * rate)) / rate
    file = io.BytesIO()
    tone = loud * np.sin(2 * np.pi * pitch * time)
    soundfile.write(file, np.repeat(tone[:, None], channels, 1), rate, format=kind)
    return file.getvalue()


def write(folder, **files):
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.fixture
def digits(tmp_path):
    """Two digits by two speakers, four recordings of each."""
    for digit in (3, 7):
        for speaker in ("ann", "bob"):
            for number in (0, 1, 10, 11):
                (tmp_path / f"{digit}_{speaker}_{number}.wav").write_bytes(encode(0.2, pitch=10 * digit))
    return tmp_path


def audio(path, split="train", **options):
    told = "&".join(f"{key}={value}" for key, value in ({"rate": RATE, "seconds": 0.25} | options).items())
    return open_source(f"audio:{path}?{told}", split)


def test_classes_and_speakers_are_read_off_names_and_the_split_too(digits):
    options = {"pattern": "{label}_{speaker}_{}", "test": "*_[01]"}
    train, test = (audio(digits, split, **options) for split in ("train", "test"))
    assert len(train) == len(test) == 8 and {name.rpartition("_")[2] for name in test.names} == {"0.wav", "1.wav"}
    assert train.about.class_names == tuple("01234567") and train.about.speakers == ("ann", "bob")
    assert train.about.sample_rate == RATE and train.spec.keys() == {"audio", "length", "label", "speaker"}
    for source in (train, test):
        for name, example in zip(source.names, source):
            digit, speaker, _ = name.split("_")
            assert source.about.class_names[example["label"]] == digit
            assert source.about.speakers[example["speaker"]] == speaker
    assert "2 speakers" in train.summary and "8 train, 8 test" in train.summary
    assert len(audio(digits, "all", **options)) == 16


def test_a_sound_shorter_than_a_window_has_its_true_length_and_zeros(digits):
    example = audio(digits, pattern="{label}_{}_{}")[0]
    assert example["audio"].shape == (200,) and example["audio"].dtype == np.int16 and example["length"] == 160
    expected = 16384 * np.sin(2 * np.pi * 30 * np.arange(160) / RATE)
    np.testing.assert_allclose(example["audio"][:160], expected, atol=1)
    assert not example["audio"][160:].any()


def test_a_long_sound_is_windows_one_behind_the_other(tmp_path):
    whole = encode(0.8, pitch=37.0)
    write(tmp_path, **{"a.wav": whole, "b.wav": encode(0.3)})
    source = audio(tmp_path, "all")
    assert source.names == ["a.wav"] * 3 + ["b.wav"] and [int(e["length"]) for e in source] == [200, 200, 200, 200]
    samples, _ = soundfile.read(io.BytesIO(whole), dtype="int16")
    np.testing.assert_array_equal(np.concatenate([source[i]["audio"] for i in range(3)]), samples[:600])
    (tmp_path / "a.wav").write_bytes(encode(0.9, pitch=37.0))  # what is left is more than half a window
    last = audio(tmp_path, "all")[3]
    assert last["length"] == 120 and not last["audio"][120:].any()
    assert "5 windows of 0.25 s" in audio(tmp_path, "all").summary


@pytest.mark.parametrize(
    "options", [{"rate": 1600}, {"rate": 600}, {"channels": 2}, {"kind": "FLAC"}, {"kind": "FLAC", "rate": 1200}]
)
def test_any_rate_and_number_of_channels_becomes_one(options, tmp_path):
    write(tmp_path, **{"a.wav": encode(0.25, pitch=40.0, **options)})
    example = audio(tmp_path, "all")[0]
    assert example["length"] == 200
    expected = 16384 * np.sin(2 * np.pi * 40 * np.arange(200) / RATE)
    np.testing.assert_allclose(example["audio"][20:180], expected[20:180], atol=200)


def test_folders_and_archives_say_the_same(tmp_path):
    inside = tmp_path / "sounds"
    for folder, pitch in (("hum", 20), ("whistle", 90)):
        write(inside, **{f"train__{folder}__{i}.flac": encode(0.2, pitch=pitch, kind="FLAC") for i in range(2)})
    write(inside, **{"test__hum__5.flac": encode(0.2, kind="FLAC"), "notes.txt": b"no sound"})
    with tarfile.open(tmp_path / "sounds.tar", "w") as archive:
        archive.add(inside, "sounds")
    folder, archive = audio(inside), audio(tmp_path / "sounds.tar")
    for source in (folder, archive):
        assert source.about.class_names == ("hum", "whistle") and len(source) == 4 and "speaker" not in source.spec
    assert all((a == b).all() for a, b in zip(stack(folder).values(), stack(archive).values()))
    assert len(audio(inside, "test")) == 1


def test_a_damaged_file_is_named_or_passed_over(digits):
    (digits / "3_ann_10.wav").write_bytes(b"RIFF, but no more")
    (digits / "3_ann_11.wav").write_bytes(b"")
    options = {"pattern": "{label}_{speaker}_{}", "test": "*_[01]"}
    with pytest.raises(ValueError, match="cannot read 3_ann_10.wav: not a sound .*on_error="):
        audio(digits, **options)[0]
    source = audio(digits, on_error="skip", **options)
    assert source.names[0] == "3_ann_10.wav" and (source[0]["audio"] == source[2]["audio"]).all()
    assert source.replaced == {0, 1}


def test_other_data_and_options_have_other_fingerprints(digits):
    prints = [
        audio(digits, **options).fingerprint for options in ({}, {"seconds": 0.2}, {"rate": 400}, {"test": "*_0"})
    ]
    prints.append(audio(digits, pattern="{label}_{}_{}").fingerprint)
    assert len({*prints}) == 5 and audio(digits).fingerprint == prints[0]
    (digits / "3_ann_0.wav").write_bytes(encode(0.2, pitch=99.0))
    assert audio(digits).fingerprint != prints[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pattern": "{digit}_{speaker}"}, "{digit} is not known; use {label}, {speaker}"),
        ({"pattern": "{}_{}"}, "it names neither"),
        ({"rate": 0}, "rate=0"),
        ({"on_error": "ignore"}, 'on_error is "ignore"'),
    ],
)
def test_wrong_options_are_named(options, message, digits):
    with pytest.raises(ValueError, match=message):
        audio(digits, **options)


def test_what_is_not_there_is_said(digits, tmp_path_factory):
    with pytest.raises(ValueError, match="no sound in"):
        audio(tmp_path_factory.mktemp("empty"))
    with pytest.raises(NoSplit, match='no sound is left for split "test"'):
        audio(digits, "test", test="nobody")
