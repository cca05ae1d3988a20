"""video: what is read of videos, and what is said of those that cannot be."""

import sys

import jax
import numpy as np
import pytest
from archives import labels, pack
from videos import encode, numbers

from jssl.data import open_source, stack
from jssl.data.source import NoSplit


@pytest.fixture(scope="module")
def files():
    """Two classes of two videos each, of other lengths, sizes and containers."""
    return {
        "jump/1.mp4": encode(40),
        "jump/2.mkv": encode(12, height=48, width=32),
        "walk/3.avi": encode(20),
        "walk/4.mp4": encode(9),
    }


@pytest.fixture
def folder(files, tmp_path):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "jump" / "notes.txt").write_text("no video")
    return tmp_path


OPTIONS = "frames=4&stride=2&image_size=16"


def test_frames_of_the_middle_their_size_and_class(folder):
    source = open_source(f"video:{folder}?{OPTIONS}", "all")
    assert len(source) == 4 and labels(source) == {
        "jump/1.mp4": "jump",
        "jump/2.mkv": "jump",
        "walk/3.avi": "walk",
        "walk/4.mp4": "walk",
    }
    examples = stack(source)
    assert examples["video"].shape == (4, 4, 16, 16, 3) and examples["video"].dtype == np.uint8
    assert examples["size"].tolist() == [[32, 48], [48, 32], [32, 48], [32, 48]]
    found = [numbers(video) for video in examples["video"]]
    assert [np.diff(own).tolist() for own in found] == [[2, 2, 2]] * 4
    # As many frames before as behind, to one.
    assert all(abs(own[0] - (count - 1 - own[-1])) <= 1 for own, count in zip(found, (40, 12, 20, 9)))
    assert (
        examples["video"][:, :, :6, :6] < 12
    ).all()  # the dark quarter is where it was: nothing is turned or cropped
    assert source.summary.endswith("2 classes, all 4 videos, whatever their split")
    assert "no held-out" not in source.summary and source.about.class_names == ("jump", "walk")


def test_clips_lie_from_the_start_to_the_end(folder):
    source = open_source(f"video:{folder}/jump/*.mp4?{OPTIONS}&clips=3", "all")
    assert [numbers(example["video"]) for example in source] == [[0, 2, 4, 6], [16, 18, 20, 22], [33, 35, 37, 39]]
    assert source.names == ["1.mp4"] * 3 and source.summary.endswith("3 clips of each")


def test_a_short_video_stands_still_at_its_end_and_a_gap_is_time(tmp_path):
    (tmp_path / "a.mp4").write_bytes(encode(5, first=1))
    (tmp_path / "b.mkv").write_bytes(encode(24, gap=(4, 9)))
    (short,) = open_source(f"video:{tmp_path}/a*?frames=4&stride=4&image_size=16", "all")
    assert numbers(short["video"]) == [1, 5, 5, 5]
    (stutter,) = open_source(f"video:{tmp_path}/b*?{OPTIONS}", "all")
    assert numbers(stutter["video"]) == [9, 10, 12, 15]  # two frames of the 19 in 2.4 seconds are a quarter of a second


def test_a_stream_that_starts_late_and_a_turned_camera(tmp_path):
    (tmp_path / "a.ts").write_bytes(encode(30, kind="ts"))  # whose first time stamp is not 0
    (tmp_path / "b.mp4").write_bytes(encode(12, first=20, turn=90))
    late, turned = open_source(f"video:{tmp_path}?{OPTIONS}", "all")
    assert np.diff(numbers(late["video"])).tolist() == [2, 2, 2]
    assert turned["size"].tolist() == [48, 32]
    dark = turned["video"][0].mean(-1) < 60
    assert dark.mean() == pytest.approx(0.25, abs=0.05) and dark[8:, :8].mean() > 0.9  # counter-clockwise


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_archives_hold_the_same(files, folder, tmp_path, mode):
    packed = open_source(f"video:{pack(tmp_path / 'all.tar', files, mode)}?{OPTIONS}", "all")
    plain = open_source(f"video:{folder}?{OPTIONS}", "all")
    for ours, theirs in zip(packed, plain, strict=True):
        for name in ("video", "size", "label"):
            np.testing.assert_array_equal(ours[name], theirs[name])
    assert packed.spec == plain.spec and packed.spec["video"] == jax.ShapeDtypeStruct((4, 16, 16, 3), np.uint8)


def test_splits_are_those_of_pictures(folder):
    train, test = (open_source(f"video:{folder}?{OPTIONS}&holdout=0.5", split) for split in ("train", "test"))
    assert (train.names, test.names) == (["jump/1.mp4", "walk/3.avi"], ["jump/2.mkv", "walk/4.mp4"])
    assert train.fingerprint != test.fingerprint
    with pytest.raises(NoSplit, match='no video is left for split "test"'):
        open_source(f"video:{folder}", "test")


SOUND = "frames=4&fps=5&image_size=16&sound=8000"


def test_sound_is_of_the_time_of_the_frames(tmp_path):
    (tmp_path / "a.mkv").write_bytes(encode(40, wave=np.arange(32_000)))  # a sample says when it was
    (tmp_path / "b.mkv").write_bytes(encode(40, wave=np.arange(14_000)))  # silence before the clip is over
    source = open_source(f"video:{tmp_path}?{SOUND}", "all")
    assert (
        source.about.sample_rate == 8000 and source.fingerprint != open_source(f"video:{tmp_path}", "all").fingerprint
    )
    whole, short = source
    assert (
        numbers(whole["video"]) == numbers(short["video"]) == [16, 18, 20, 22]
    )  # every fifth of a second of ten frames
    np.testing.assert_allclose(whole["audio"], np.arange(12_800, 19_200), atol=1)
    assert (whole["length"], short["length"]) == (6400, 1200)
    np.testing.assert_allclose(short["audio"][:1200], np.arange(12_800, 14_000), atol=1)
    assert not short["audio"][1200:].any()
    first, last = open_source(f"video:{tmp_path}/a*?{SOUND}&clips=2", "all")
    np.testing.assert_allclose(first["audio"], np.arange(6400), atol=1)
    assert numbers(last["video"]) == [33, 35, 37, 39] and last["length"] == 32_000 - 33 * 800
    np.testing.assert_allclose(last["audio"][: last["length"]], np.arange(33 * 800, 32_000), atol=1)


def test_sound_is_resampled_and_a_video_without_is_named(folder):
    time = np.arange(4 * 16_000) / 16_000
    tone = 8000 * np.sin(2 * np.pi * np.where(time < 2, 400, 1000) * time)
    (folder / "jump" / "1.mp4").write_bytes(encode(40, wave=tone.astype(np.int16), codec="aac", rate=16_000))
    source = open_source(f"video:{folder}/jump?{SOUND}", "all")
    example = source[0]
    assert numbers(example["video"]) == [16, 18, 20, 22] and example["length"] == 6400
    frame = example["audio"].reshape(4, 1600) * np.hanning(1600)  # 0.2 seconds with each
    pitch = np.abs(np.fft.rfft(frame)).argmax(1) * 5
    assert np.abs(pitch - [400, 400, 1000, 1000]).max() <= 5
    with pytest.raises(ValueError, match="cannot read 2.mkv: it holds no sound; "):
        source[1]


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "playlist", "sound"])
def test_what_is_no_video_is_named_or_passed_over(folder, damage):
    whole = (folder / "jump" / "1.mp4").read_bytes()
    content = {
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"this is no video " * 100,
        # which would have other files opened
        "playlist": f"#EXTM3U\n#EXTINF:4,\n{folder}/walk/4.mp4\n#EXT-X-ENDLIST\n".encode(),
        "sound": sound(),
    }[damage]
    (folder / "jump" / "1.mp4").write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot read jump/1.mp4: .*; repair or remove it, or use on_error") as error:
        open_source(f"video:{folder}?{OPTIONS}", "all")[0]
    assert "\n" not in str(error.value)
    source = open_source(f"video:{folder}?{OPTIONS}&on_error=skip", "all")
    np.testing.assert_array_equal(source[0]["video"], source[1]["video"])
    assert source.replaced == {0}


def sound():
    """A file without a picture."""
    import io

    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def test_without_pyav_one_line_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "jssl.data.recordings.video_frames", None)
    with pytest.raises(ValueError, match=r"^videos take PyAV: pip install 'jssl\[video\]'$"):
        open_source(f"video:{folder}")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("video:{}/none", "no folder"),
        ("video:{}/jump/*.txt", "no video in"),
        ("video:{}/none.tar", "no archive matches"),
        ("video:{}?frames=0", "frames=0"),
        ("video:{}?stride=0", "stride=0"),
        ("video:{}?speed=3", 'no option "speed"'),
        ("video:{}?fps=3&stride=2", "stride=2, fps=3: either says how far frames are apart"),
        ("video:{}?sound=8000", "sound=8000 needs fps=..."),
        ("video:{}?fps=5&sound=8", "at least 1000"),
        ("video:{}?on_error=stop", 'on_error is "stop"'),
    ],
)
def test_what_cannot_be_opened_is_one_line(folder, spec, told):
    with pytest.raises(ValueError, match=told) as error:
        open_source(spec.format(folder))
    assert "\n" not in str(error.value)
