"""Sound files to samples of one channel, by libsndfile."""

import io

import numpy as np
import soundfile
import soxr

__all__ = ["duration", "window"]

_LONGEST = 1 << 28  # frames of a window, at most: a file may say that it has any number in a second


def duration(encoded: bytes) -> float:
    """Seconds, from the header of a file.

    Raises:
      ValueError: if the bytes are no sound.
    """
    with _opened(encoded) as file:
        return file.frames / file.samplerate


def window(encoded: bytes, number: int, *, seconds: float, rate: int) -> np.ndarray:
    """The samples of one window of a file: channels averaged, resampled.

    Args:
      encoded: the bytes of a file: WAV, FLAC, OGG, MP3 or AIFF.
      number: from 0; windows lie one behind the other.
      seconds: of a window.
      rate: samples per second of what is returned.

    Returns:
      (n,) int16, about ``seconds * rate`` of them, fewer in the last window of a file.

    Raises:
      ValueError: if the bytes are no whole sound, or there is none in the window.

    >>> file = io.BytesIO()
    >>> soundfile.write(file, np.full((800, 2), 0.5), 8000, format="FLAC")
    >>> samples = window(file.getvalue(), 0, seconds=1, rate=8000)
    >>> samples.shape, samples[400]
    ((800,), np.int16(16384))
    """
    with _opened(encoded) as file:
        own = file.samplerate
        size = round(seconds * own)
        if size > _LONGEST:
            raise ValueError(f"{seconds} s at {own} samples per second are too many")
        try:
            file.seek(min(number * size, file.frames))
            samples = file.read(min(size, max(file.frames - number * size, 0)), dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise ValueError(f"not a whole sound ({error})") from error
    if not len(samples):
        raise ValueError("there is no sound in it")
    mono = samples.mean(1)
    if own != rate:
        mono = soxr.resample(mono, own, rate)
    if not np.isfinite(mono).all():
        raise ValueError("some of its samples are NaN or infinite")
    return np.rint((mono * 32768).clip(-32768, 32767)).astype(np.int16)


def _opened(encoded: bytes) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(io.BytesIO(encoded))
    except (soundfile.SoundFileError, TypeError) as error:
        raise ValueError(f"not a sound ({error})") from error
