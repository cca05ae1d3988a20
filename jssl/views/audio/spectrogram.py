"""Log-mel spectrograms, on the device."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array


def log_mel(
    wave: Array,
    *,
    sample_rate: int,
    window: int,
    hop: int,
    mels: int,
    low: float = 20.0,
    high: float | None = None,
    floor: float = 1e-3,
) -> Array:
    """The logarithm of the power in bands of equal width on the mel scale, frame by frame.

    Frame i is centred on the middle of the samples [i hop, (i + 1) hop), so that T samples are T / hop frames whatever the
    window; what a window reaches beyond either end is zero. Hann windows (periodic); the power of each bin of the discrete
    Fourier transform; triangles in Hz whose corners are equally spaced on the mel scale of HTK, 2595 log10(1 + f / 700),
    with peaks of one, as torchaudio and, with ``htk=True, norm=None``, librosa have them. Kaldi's triangles are straight
    in mel, and it takes the mean off each window and emphasises high frequencies before.

    Args:
      wave: (T,) float.
      sample_rate: samples per second.
      window: samples of a window, at least ``hop``.
      hop: samples from frame to frame.
      mels: M, bands.
      low: Hz, the lower end of the first band.
      high: Hz, the upper end of the last; None is half the sample rate.
      floor: power below which nothing is told apart.

    Returns:
      (T // hop, M) float32, natural logarithms.

    Raises:
      ValueError: not one frame, a window shorter than the hop, or bands outside of [0, sample_rate / 2].

    >>> tone = jnp.sin(2 * jnp.pi * 1000 * jnp.arange(800.0) / 8000)
    >>> spectrogram = log_mel(tone, sample_rate=8000, window=200, hop=80, mels=20)
    >>> spectrogram.shape, int(spectrogram[5].argmax())
    ((10, 20), 9)
    """
    high = sample_rate / 2 if high is None else high
    if not 1 <= hop <= min(window, wave.shape[0]):
        raise ValueError(
            f"log_mel: a window of {window} samples and a hop of {hop} on {wave.shape[0]} samples; use a window of at "
            "least the hop, and at least one hop of sound"
        )
    if mels < 1 or not 0 <= low < high <= sample_rate / 2:
        raise ValueError(f"log_mel: {mels} bands from {low} to {high} Hz at {sample_rate} samples per second")
    filters = mel_filters(sample_rate, window, mels, float(low), float(high))
    size = 2 * (len(filters) - 1)
    frames = wave.shape[0] // hop
    before = (window - hop) // 2
    padded = jnp.pad(wave.astype(jnp.float32), (before, window))
    taken = np.arange(frames)[:, None] * hop + np.arange(window)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    spectrum = jnp.fft.rfft(padded[taken] * jnp.asarray(hann, jnp.float32)[None], n=size)
    power = jnp.square(spectrum.real) + jnp.square(spectrum.imag)
    bands = jnp.matmul(power, jnp.asarray(filters), precision=jax.lax.Precision.HIGHEST)
    return jnp.log(jnp.maximum(bands, floor))


@functools.lru_cache(maxsize=32)
def mel_filters(sample_rate: int, window: int, mels: int, low: float, high: float) -> np.ndarray:
    """(F, mels) float32: how much of the power of each bin of a Fourier transform is in each band.

    The transform has 2 (F - 1) samples, the smallest power of two that holds the window and leaves no band without a bin.

    >>> mel_filters(8000, 200, 20, 20.0, 4000.0).shape
    (129, 20)
    """
    first, last = 2595 * np.log10(1 + low / 700), 2595 * np.log10(1 + high / 700)
    corners = 700 * (10 ** (np.linspace(first, last, mels + 2) / 2595) - 1)
    size = 1 << max(1, window - 1).bit_length()
    while True:
        bins = np.arange(size // 2 + 1)[:, None] * sample_rate / size
        left, middle, right = corners[:-2], corners[1:-1], corners[2:]
        rising, falling = (bins - left) / (middle - left), (right - bins) / (right - middle)
        filters = np.minimum(rising, falling).clip(0).astype(np.float32)
        if filters.max(0).min() > 0:
            return filters
        size *= 2


def true_frames(length: Array, hop: int) -> Array:
    """() int32: the frames that hold sound, at least one.

    >>> int(true_frames(jnp.int32(81), 80))
    2
    """
    return jnp.maximum((length + hop - 1) // hop, 1)


def standardize_spectrogram(spectrogram: Array, frames: Array, mean: float | None, std: float | None) -> Array:
    """(spectrogram - mean) / std, zero behind the true frames.

    Args:
      spectrogram: (F, M).
      frames: () int32, how many of them are true.
      mean: None takes that of this spectrogram's true frames.
      std: likewise.

    >>> standardize_spectrogram(jnp.array([[1.0], [3.0], [9.0]]), jnp.int32(2), None, None).round(3).tolist()
    [[-1.0], [1.0], [0.0]]
    """
    here = (jnp.arange(spectrogram.shape[0]) < frames)[:, None]
    count = frames.astype(jnp.float32) * spectrogram.shape[1]
    centre = jnp.sum(jnp.where(here, spectrogram, 0.0)) / count if mean is None else jnp.float32(mean)
    spectrogram = jnp.where(here, spectrogram - centre, 0.0)
    if std is None:
        return spectrogram * jax.lax.rsqrt(jnp.sum(jnp.square(spectrogram)) / count + 1e-6)
    return spectrogram / std
