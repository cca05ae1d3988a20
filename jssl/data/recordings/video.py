"""Videos in folders and archives, with their sound where it is asked for."""

import hashlib
import os

import jax
import numpy as np

from jssl.data.files.archive import Place, read
from jssl.data.files.found import find
from jssl.data.files.names import is_video
from jssl.data.files.readable import ReadSource, fingerprint
from jssl.data.files.shares import evenly_spaced
from jssl.data.files.splits import arrange
from jssl.data.source import About

__all__ = ["VideoSource"]

_HEAD = 1 << 16  # bytes of a file that its fingerprint is of, at most: videos are long


class VideoSource(ReadSource):
    """Clips of videos: ``video`` (T, S, S, 3) uint8, ``size`` (2,) int32, the height and width of a frame in the file, and,
    where there are classes, ``label`` () int32; with ``sound`` also ``audio`` (sound * T / fps,) int16, what is heard from the
    first frame on, its channels averaged, and ``length`` () int32, how many of these samples there are before the file ends.

    Files lie as pictures do, <class>/<video>, or train/<class>/<video> with test/ or val/ beside it, or videos alone; see
    `jssl.data.files.splits.arrange`. Frames are resized whole, whatever their size and aspect: crops are drawn in true proportions.

    Args:
      path: the folder, or a glob; or the paths or globs of archives, separated by commas.
      split: "train", "test" or "all".
      frames: T.
      stride: from one frame to the next, in frames of the file at its mean rate; 4 unless there is ``fps``.
      fps: frames a second, whatever the rate of the file, in place of a stride.
      sound: samples per second that the sound track is resampled to; 0 leaves it out. It takes ``fps``, so that the sound of
        every clip is as long. A file without one is unreadable.
      clips: of each video, spread evenly from its start to its end; one is of its middle.
      image_size: S, pixels.
      limit: at most so many videos, evenly from the classes.
      holdout: part of each class that is "test" where nothing says so.
      on_error: "raise", or "skip": an unreadable video is replaced by the next readable one and noted in `replaced`.

    Raises:
      ValueError: if there is no video, or an option is out of range.
    """

    WHAT = "clips"
    OPTIONS = {
        "frames": int,
        "stride": int,
        "fps": (int, float),
        "sound": int,
        "clips": int,
        "image_size": int,
        "limit": int,
        "holdout": (int, float),
        "on_error": str,
    }

    def __init__(
        self,
        path,
        split="train",
        *,
        frames=16,
        stride=None,
        fps=None,
        sound=0,
        clips=1,
        image_size=256,
        limit=None,
        holdout=0.1,
        on_error="raise",
    ):
        if min(frames, clips, image_size) < 1:
            told = f"frames={frames}, clips={clips}, image_size={image_size}"
            raise ValueError(f"{told}; use at least 1 of each")
        self._rate = pace(stride, fps, sound)
        _reader()  # before anything is looked for
        files = find(path, is_video, "video")
        found = arrange(files.names, files.classes, holdout=holdout, title=f"video:{path}", what="video")
        chosen, labels, class_names = found.select(split, limit)
        super().__init__([files.names[i] for i in chosen for _ in range(clips)], on_error)
        self._places: list[Place] = [files.places[i] for i in chosen]
        self._frames, self._clips, self._side, self._sound = frames, clips, image_size, sound
        self._labels = labels
        self.about = About(class_names=class_names, sample_rate=sound or None)
        self.spec = {
            "video": jax.ShapeDtypeStruct((frames, image_size, image_size, 3), np.uint8),
            "size": jax.ShapeDtypeStruct((2,), np.int32),
        }
        if sound:
            self.spec["audio"] = jax.ShapeDtypeStruct((heard(frames, fps, sound),), np.int16)
            self.spec["length"] = jax.ShapeDtypeStruct((), np.int32)
        contents = [_digest(self._places[i]) for i in evenly_spaced(len(self._places))]
        if labels is not None:
            self.spec["label"] = jax.ShapeDtypeStruct((), np.int32)
            contents.append(np.asarray(labels, np.int32).tobytes())
        options = (frames, self._rate["stride"], clips, image_size, class_names) + ((fps, sound) if fps else ())
        self.fingerprint = fingerprint([files.names[i] for i in chosen], contents, *options)
        self.summary = found.summary(split) + (f", {clips} clips of each" if clips > 1 else "")

    def example(self, index):
        """The frames, the size of the file's, the sound, and the label."""
        file, clip = divmod(index, self._clips)
        part = clip / (self._clips - 1) if self._clips > 1 else 0.5
        place, (frames, sound) = self._places[file], _reader()
        found = frames(place, part=part, frames=self._frames, side=self._side, **self._rate)
        example = {"video": found.video, "size": np.asarray(found.size, np.int32)}
        if self._sound:
            samples = self.spec["audio"].shape[0]
            audio, length = sound(place, rate=self._sound, samples=samples, start=found.start)
            example |= {"audio": audio, "length": np.asarray(length, np.int32)}
        return example if self._labels is None else example | {"label": np.asarray(self._labels[file], np.int32)}


def pace(stride: int | None, fps: float | None, sound: int) -> dict:
    """The options of ``read_frames`` that say how far frames are apart.

    Raises:
      ValueError: both a stride and fps, sound without fps, or one of them out of range.
    """
    if stride is not None and fps is not None:
        raise ValueError(f"stride={stride}, fps={fps}: either says how far frames are apart; leave one out")
    if stride is not None and stride < 1 or fps is not None and fps <= 0 or sound and sound < 1000:
        raise ValueError(f"stride={stride}, fps={fps}, sound={sound}; use at least 1, above 0, and at least 1000 or 0")
    if sound and fps is None:
        raise ValueError(f"sound={sound} needs fps=..., frames a second, so that the sound of every clip is as long")
    return {"stride": 4 if stride is None else stride, "fps": fps}


def heard(frames: int, fps: float, sound: int) -> int:
    """Samples of the sound of a clip.

    >>> heard(32, 10, 16_000)
    51200
    """
    return round(sound * frames / fps)


def _reader():
    """What reads the frames of a file, and what its sound: FFmpeg is not everybody's."""
    try:
        from jssl.data.recordings.sound_tracks import read_sound
        from jssl.data.recordings.video_frames import read_frames
    except ModuleNotFoundError as error:
        raise ValueError("videos take PyAV: pip install 'jssl[video]'") from error
    return read_frames, read_sound


def _digest(place: Place) -> bytes:
    """What stands for the content of a file."""
    try:
        if isinstance(place, bytes):
            head, size = place[:_HEAD], len(place)
        else:
            path, start, size = place
            size = os.path.getsize(path) if size < 0 else size
            head = read((path, start, min(size, _HEAD)))
    except OSError:  # which is said when the example is asked for
        return b"unreadable"
    return hashlib.blake2b(head + str(size).encode()).digest()
