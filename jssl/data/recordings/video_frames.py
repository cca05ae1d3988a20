"""Frames of a video file, picked by time and brought to one size."""

import functools
from typing import NamedTuple

import av
import numpy as np
from PIL import Image

from jssl.data.files.archive import Place
from jssl.data.recordings.containers import opened

__all__ = ["Frames", "read_frames"]


class Frames(NamedTuple):
    """Frames of a video file.

    Attributes:
      video: (T, S, S, 3) uint8.
      size: height and width of a frame in the file.
      start: seconds, the time that the first of them was asked for, on the clock of the file's time stamps.
    """

    video: np.ndarray
    size: tuple[int, int]
    start: float


def read_frames(
    place: Place, *, frames: int, stride: int, side: int, part: float = 0.5, fps: float | None = None
) -> Frames:
    """So many frames of a video, upright, each resized whole to a square.

    The file is read from the last key frame before the first of them on, not from its beginning. Frames are picked by their
    time stamps, at the mean rate of the file: of a file whose rate varies, as of one that lacks some, they are as far apart in
    time as they say. A video that is too short stands still at its end.

    Args:
      place: where the bytes of the file are.
      frames: T.
      stride: from one to the next, in frames of the file at its mean rate.
      side: S, pixels, of the result.
      part: where the frames lie in the video: 0 at its start, 1 at its end.
      fps: frames a second of the result, whatever the rate of the file, in place of a stride.

    Raises:
      ValueError: if the bytes are not a video, or one with more pixels than ``PIL.Image.MAX_IMAGE_PIXELS`` in a frame.
      OSError: the file cannot be read.
    """
    picked = functools.partial(_picked, frames=frames, stride=stride, side=side, part=part, fps=fps)
    for seek in (True, False):  # some containers, short transport streams say, cannot be entered in the middle
        with opened(place) as container:
            if not container.streams.video:
                raise ValueError("it holds no pictures")
            if found := picked(container, container.streams.video[0], seek=seek):
                return found
    raise ValueError("none of its pictures can be read")


def _picked(
    container, stream, *, frames: int, stride: int, side: int, part: float, fps: float | None, seek: bool
) -> Frames | None:
    """None where no frame is found, or only later ones than the first that is wanted."""
    stream.codec_context.thread_count = 1  # examples are read in threads
    bound = Image.MAX_IMAGE_PIXELS
    if bound is not None and stream.width * stream.height > bound:
        raise ValueError(f"{stream.height} x {stream.width} pixels are too many")
    rate = float(stream.average_rate or stream.base_rate or 25)
    start = float((stream.start_time or 0) * stream.time_base)
    if stream.duration is not None:
        length = float(stream.duration * stream.time_base)
    else:
        length = (container.duration or 0) / av.time_base
    step = stride / rate if fps is None else 1 / fps  # seconds
    room = max(0.0, length - (frames - 1) * step - 1 / rate)
    first = start + round(part * room * rate) / rate
    if seek and first > start:
        container.seek(int(first / stream.time_base), stream=stream, backward=True)

    found: list[np.ndarray] = []
    size, last = (0, 0), None
    for frame in container.decode(stream):
        if frame.time is None:  # it has no place in time
            continue
        if last is None and seek and frame.time > first + 0.5 / rate:
            return None
        last = frame
        while len(found) < frames and frame.time >= first + len(found) * step - 0.5 / rate:
            image, size = _upright(frame, side)
            found.append(image)
        if len(found) == frames:
            return Frames(np.stack(found), size, first)
    if last is None:
        return None
    image, size = _upright(last, side)
    return Frames(np.stack(found + [image] * (frames - len(found))), size, first)


def _upright(frame: av.VideoFrame, side: int) -> tuple[np.ndarray, tuple[int, int]]:
    """(S, S, 3) uint8, and height and width, of a frame as its camera was held."""
    turns = round(frame.rotation / 90) % 4
    image = frame.to_ndarray(format="rgb24", width=side, height=side, interpolation="BICUBIC")
    size = (frame.height, frame.width) if turns % 2 == 0 else (frame.width, frame.height)
    return np.ascontiguousarray(np.rot90(image, turns)), size
