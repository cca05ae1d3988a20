"""CIE Lab and back: lightness apart from colour, both in steps that the eye finds equal. sRGB primaries, white D65."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from jssl.views.images import _checks, photometric

_DELTA = 6.0 / 29.0


def _primaries() -> np.ndarray:
    """(3, 3) linear sRGB to XYZ divided by the white: rows sum to one, so grey has no colour at all."""
    chromaticity = np.array([[0.64, 0.33], [0.30, 0.60], [0.15, 0.06], [0.3127, 0.3290]])  # red, green, blue, white
    x, y = chromaticity.T
    xyz = np.stack([x / y, np.ones(4), (1.0 - x - y) / y])
    to_xyz = xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3])
    return to_xyz / xyz[:, 3:]


_FROM_RGB = _primaries()
_TO_RGB = np.linalg.inv(_FROM_RGB)


def _mix(matrix: np.ndarray, planes):
    # Three planes and nine numbers: no matrix product whose precision would depend on the device.
    return tuple(sum(float(weight) * plane for weight, plane in zip(row, planes)) for row in matrix)


def to_lab(values, numpy):
    """`rgb_to_lab` of floats in the arithmetic of ``numpy``, which is jax.numpy or, for tables in float64, numpy."""
    linear = numpy.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    planes = _mix(_FROM_RGB, (linear[..., 0], linear[..., 1], linear[..., 2]))
    x, y, z = (numpy.where(t > _DELTA**3, numpy.cbrt(t), t / (3.0 * _DELTA**2) + 4.0 / 29.0) for t in planes)
    return numpy.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], axis=-1)


def rgb_to_lab(image: Array) -> Array:
    """sRGB to CIE Lab.

    Args:
        image: (..., 3) uint8 or float in [0, 1].

    Returns:
        (..., 3) float32: L in [0, 100], a (green to red) in [-86.2, 98.3], b (blue to yellow) in [-107.9, 94.5].

    Reference: IEC 61966-2-1 (sRGB), CIE 15 (Lab).

    >>> rgb_to_lab(jnp.array([1.0, 1.0, 1.0])).round().tolist()
    [100.0, 0.0, 0.0]
    """
    _checks.colors(image, "rgb_to_lab")
    return to_lab(photometric.to_float(image), jnp)


def lab_to_rgb(lab: Array) -> Array:
    """CIE Lab to sRGB; what no screen can show is clipped, channel by channel.

    Args:
        lab: (..., 3) float: L in [0, 100], a, b.

    Returns:
        (..., 3) float32 in [0, 1].

    >>> lab_to_rgb(jnp.array([100.0, 0.0, 0.0])).round(3).tolist()
    [1.0, 1.0, 1.0]
    """
    _checks.colors(lab, "lab_to_rgb")
    lab = lab.astype(jnp.float32)
    y = (lab[..., 0] + 16.0) / 116.0
    roots = (y + lab[..., 1] / 500.0, y, y - lab[..., 2] / 200.0)
    planes = tuple(jnp.where(f > _DELTA, f**3, 3.0 * _DELTA**2 * (f - 4.0 / 29.0)) for f in roots)
    linear = jnp.clip(jnp.stack(_mix(_TO_RGB, planes), axis=-1), 0.0, 1.0)
    return jnp.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1.0 / 2.4) - 0.055)
