"""The sound that goes with a part of a video file, at one rate."""

import av
import numpy as np

from jssl.data.files.archive import Place
from jssl.data.recordings.containers import opened

__all__ = ["read_sound"]

_EARLY = 0.5  # seconds before a sound from which it is decoded: some decoders are silent at first


def read_sound(place: Place, *, rate: int, samples: int, start: float) -> tuple[np.ndarray, int]:
    """So many samples of a file's first sound track, from a time on, its channels averaged.

    Args:
      place: where the bytes of the file are.
      rate: samples per second of the result.
      samples: T.
      start: seconds, on the clock of the file's time stamps, which pictures and sound share.

    Returns:
      (T,) int16, and how many of them are sound: the track may end before. Before its start there is silence, which counts.

    Raises:
      ValueError: if the bytes are no video, or it has no sound.
      OSError: the file cannot be read.
    """
    found = _attempt(place, rate, samples, start, seek=start > _EARLY)
    if found is None:  # some containers cannot be entered in the middle
        found = _attempt(place, rate, samples, start, seek=False)
    assert found is not None
    return found


def _attempt(place: Place, rate: int, samples: int, start: float, *, seek: bool) -> tuple[np.ndarray, int] | None:
    """What `read_sound` returns; None where what was sought lies behind."""
    with opened(place) as container:
        if not container.streams.audio:
            raise ValueError("it holds no sound")
        stream = container.streams.audio[0]
        stream.codec_context.thread_count = 1  # examples are read in threads
        if seek:
            container.seek(int((start - _EARLY) / stream.time_base), stream=stream, backward=True)
        resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
        parts: list[np.ndarray] = []
        first, wanted = None, 0
        for frame in container.decode(stream):
            if first is None:
                if frame.time is None:  # it has no place in time
                    continue
                first = frame.time
                if seek and first > start:
                    return None
                wanted = round((start - first) * rate) + samples
            parts += [made.to_ndarray()[0] for made in resampler.resample(frame)]
            if sum(map(len, parts)) >= wanted + rate // 10:  # a little more: the last ones wait for what follows
                break
        else:
            if first is not None:
                parts += [made.to_ndarray()[0] for made in resampler.resample(None)]
    audio = np.zeros(samples, np.int16)
    if first is None:
        return audio, 0
    track, begin = np.concatenate([np.zeros(0, np.int16), *parts]), round((start - first) * rate)
    heard = track[max(begin, 0) : max(wanted, 0)]
    silent = min(max(-begin, 0), samples)
    audio[silent : silent + len(heard)] = heard
    return audio, silent + len(heard) if len(heard) else 0
