"""Frames of a video file, picked by time and brought to one size."""

import io

import av
import numpy as np
from PIL import Image

from jssl.data.files.archive import Place, read

__all__ = ["read_frames"]

# Of what FFmpeg opens, the containers that cameras and data sets have. A playlist would open other files on a file's word.
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,ogg,flv,asf,gif"


def read_frames(
    place: Place, *, frames: int, stride: int, side: int, part: float = 0.5
) -> tuple[np.ndarray, tuple[int, int]]:
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

    Returns:
      (T, S, S, 3) uint8, and the height and width of a frame in the file.

    Raises:
      ValueError: if the bytes are not a video, or one with more pixels than ``PIL.Image.MAX_IMAGE_PIXELS`` in a frame.
      OSError: the file cannot be read.
    """
    found = _attempt(place, frames, stride, side, part, seek=True)
    # Some containers, short transport streams say, cannot be entered in the middle.
    found = found or _attempt(place, frames, stride, side, part, seek=False)
    if found is None:
        raise ValueError("none of its pictures can be read")
    return found


def _attempt(place: Place, frames: int, stride: int, side: int, part: float, *, seek: bool):
    """What `read_frames` returns; None where no frame is found, or only later ones than the first that is wanted."""
    whole_file = not isinstance(place, bytes) and place[1:] == (0, -1)
    with open(place[0], "rb") if whole_file else io.BytesIO(read(place)) as file:
        try:
            with av.open(file, options={"format_whitelist": _CONTAINERS}) as container:
                if not container.streams.video:
                    raise ValueError("it holds no pictures")
                return _picked(container, container.streams.video[0], frames, stride, side, part, seek)
        except (av.error.FFmpegError, EOFError, IndexError) as error:
            raise ValueError(f"not a whole video ({type(error).__name__}: {error})") from error


def _picked(container, stream, frames: int, stride: int, side: int, part: float, seek: bool):
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
    room = max(0.0, length - (1 + (frames - 1) * stride) / rate)
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
        while len(found) < frames and frame.time >= first + (len(found) * stride - 0.5) / rate:
            image, size = _upright(frame, side)
            found.append(image)
        if len(found) == frames:
            return np.stack(found), size
    if last is None:
        return None
    image, size = _upright(last, side)
    return np.stack(found + [image] * (frames - len(found))), size


def _upright(frame: av.VideoFrame, side: int) -> tuple[np.ndarray, tuple[int, int]]:
    """(S, S, 3) uint8, and height and width, of a frame as its camera was held."""
    turns = round(frame.rotation / 90) % 4
    image = frame.to_ndarray(format="rgb24", width=side, height=side, interpolation="BICUBIC")
    size = (frame.height, frame.width) if turns % 2 == 0 else (frame.width, frame.height)
    return np.ascontiguousarray(np.rot90(image, turns)), size
