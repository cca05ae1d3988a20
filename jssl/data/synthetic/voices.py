"""What each of the ten shapes sounds like."""

import numpy as np

__all__ = ["HARMONICS", "TIMBRES", "voice"]

# The timbre of each shape: the weights of eight harmonics, how fast it dies away (1/s), and its pulses per second.
TIMBRES = np.array(
    [
        (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        (1.0, 0.0, 0.7, 0.0, 0.5, 0.0, 0.4, 0.0, 0.0, 0.0),
        (0.1, 0.8, 0.1, 0.8, 0.1, 0.6, 0.1, 0.6, 0.0, 0.0),
        (0.3, 0.2, 0.2, 0.2, 0.9, 0.9, 0.9, 0.9, 0.0, 0.0),
        (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 6.0, 0.0),
        (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 7.0),
        (1.0, 0.0, 0.7, 0.0, 0.5, 0.0, 0.4, 0.0, 6.0, 0.0),
        (0.1, 0.8, 0.1, 0.8, 0.1, 0.6, 0.1, 0.6, 0.0, 11.0),
        (0.3, 0.2, 0.2, 0.2, 0.9, 0.9, 0.9, 0.9, 0.0, 7.0),
        (1.0, 0.0, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0, 6.0, 11.0),
    ]
)
HARMONICS = 8


def voice(shape: int, pitch: np.ndarray, phases: np.ndarray, rate: int) -> np.ndarray:
    """A steady tone of unit variance with the harmonics of a shape.

    Args:
      shape: which of ``SHAPES``.
      pitch: (T,) Hz, of each sample.
      phases: (``HARMONICS``,) radians, of each harmonic at the start.
      rate: samples per second. What it cannot hold is left out, not folded back.

    Returns:
      (T,) float64.

    >>> round(float(voice(0, np.full(800, 100.0), np.zeros(8), 8000).std()), 3)
    1.0
    """
    weights = TIMBRES[shape, :HARMONICS]
    turns = np.cumsum(pitch) / rate
    order = np.arange(1, HARMONICS + 1)[:, None]
    waves = np.where(order * pitch < rate / 2, np.sin(2 * np.pi * (order * turns + phases[:, None])), 0.0)
    return weights @ waves / np.sqrt((weights**2).sum() / 2)
