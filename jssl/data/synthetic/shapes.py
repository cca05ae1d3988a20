"""The ten shapes of the synthetic data as signed distances: negative inside, about 0 on the outline.

Each fits the unit circle, looks the same flipped or rotated (as a class), and differs from the others in topology or
outline, so that no crop, flip or rotation turns one class into another.
"""

import numpy as np

__all__ = ["SHAPES"]


def circle(u, v):
    """A filled disk."""
    return np.hypot(u, v) - 0.85


def square(u, v):
    """A filled square."""
    return np.maximum(np.abs(u), np.abs(v)) - 0.75


def triangle(u, v):
    """An equilateral triangle."""
    side = np.float32(np.sqrt(3) / 2)
    return np.maximum(-v, side * np.abs(u) + np.float32(0.5) * v) - 0.5


def star(u, v):
    """A star with five points."""
    sector = np.float32(np.pi / 5)
    angle = np.abs((np.arctan2(u, v) + sector) % (2 * sector) - sector)  # folded onto half a point
    radius = np.hypot(u, v)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    inner = 0.38 * np.cos(sector), 0.38 * np.sin(sector)  # from the tip (1, 0) to the inner corner
    length = np.hypot(1 - inner[0], inner[1])
    return ((x - 1) * np.float32(inner[1] / length) + y * np.float32((1 - inner[0]) / length)).astype(np.float32)


def ring(u, v):
    """A thick ring."""
    return np.abs(np.hypot(u, v) - 0.7) - 0.2


def cross(u, v):
    """A plus sign."""
    u, v = np.abs(u), np.abs(v)
    return np.minimum(np.maximum(u - 0.95, v - 0.27), np.maximum(u - 0.27, v - 0.95))


def crescent(u, v):
    """A moon: a disk without another disk."""
    return np.maximum(np.hypot(u, v) - 0.9, 0.72 - np.hypot(u - 0.45, v))


def bowtie(u, v):
    """Two triangles that meet at their tips."""
    u, v = np.abs(u), np.abs(v)
    return np.maximum((v - u) * np.float32(np.sqrt(0.5)) - 0.05, u - 0.82)


def bars(u, v):
    """Three parallel bars."""
    v = np.abs(v)
    return np.maximum(np.minimum(v, np.abs(v - 0.64)) - 0.18, np.abs(u) - 0.82)


def dots(u, v):
    """Four disks on the corners of a square."""
    return np.hypot(np.abs(u) - 0.52, np.abs(v) - 0.52) - 0.36


SHAPES = (circle, square, triangle, star, ring, cross, crescent, bowtie, bars, dots)
