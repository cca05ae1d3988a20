"""How the synthetic pictures are drawn: numbers in [0, 1) to places, colours and textures, and these to pixels."""

import numpy as np

from jssl.data.splitmix import mix
from jssl.data.synthetic.shapes import SHAPES

__all__ = ["COLUMNS", "COPIES", "cover", "draw", "factors", "uniform"]

COPIES = 4  # of the shape, at most
_CLUTTER = 0.12  # contrast of the clouds that lie over every background
_GRID = 5  # the background's clouds are a grid of random values, interpolated
_DRAWS = 11  # numbers that each copy draws
_TILT = 0.5  # largest rotation either way, in radians
_JITTER = 0.1  # of the place of a copy, in frame widths
COLUMNS = 16 + _DRAWS * COPIES + 3 * _GRID * _GRID
"""Numbers that a picture draws."""
# The background that goes with each shape: its texture, the direction of its waves (units of pi, unchanged by a flip),
# and how many cross the frame. Their phase, a tilt and a stretch are drawn, so that pixels do not line up.
_BACKGROUNDS = np.array(
    [
        (1, 0.0, 5.0),
        (1, 0.5, 5.0),
        (1, 0.25, 5.0),
        (1, 0.0, 9.0),
        (1, 0.5, 9.0),
        (1, 0.25, 9.0),
        (2, 0.0, 0.0),
        (0, 0.0, 0.0),
        (3, 0.0, 5.0),
        (3, 0.0, 9.0),
    ]
)
_PIXEL = (slice(None), None, None)  # one value per example, the same for all of its pixels


def uniform(seed: int, split: str, index: np.ndarray, columns: int) -> np.ndarray:
    """(n, columns) numbers in [0, 1), a hash of seed, split, example and column.

    >>> uniform(0, "train", np.array([3]), 2).shape
    (1, 2)
    """
    key = mix(mix(np.uint64(seed % (1 << 64))) ^ np.uint64(1 + (split == "test")))  # type: ignore[arg-type]
    key = mix(key ^ mix(index.astype(np.uint64)))[:, None]
    bits = mix(key ^ mix(np.arange(columns, dtype=np.uint64)))
    return ((bits >> np.uint64(40)).astype(np.float32)) * np.float32(2**-24)


def factors(u: np.ndarray, shape: np.ndarray) -> dict[str, np.ndarray]:
    """Everything that is drawn, one row per picture. Lengths are fractions of the frame, angles are in radians.

    Args:
      u: (n, ``COLUMNS``) numbers in [0, 1).
      shape: (n,) integers, which of ``SHAPES`` the copies are.
    """
    own = u[:, 16 : 16 + _DRAWS * COPIES].reshape(-1, COPIES, _DRAWS)  # what each copy of the shape draws
    texture, direction, waves = _BACKGROUNDS[shape].T
    count = 2 + (u[:, 0] * (COPIES - 1)).astype(int)
    places = np.argsort(own[..., 0], 1)  # which quarter of the frame each copy is in
    radius = 0.17 + 0.07 * own[..., 1]
    luma = 0.41 + 0.18 * u[:, 1]  # of the background
    gap = 0.28 + 0.12 * own[..., 2]
    # Brighter or darker than the background, copy by copy: the sign of the contrast says nothing about the class.
    sign = np.where(own[..., 3] < 0.5, -1, 1)
    return {
        "shape": shape,
        "count": count,
        "radius": radius,
        "x": 0.25 + 0.5 * (places % 2) + _JITTER * (2 * own[..., 4] - 1),
        "y": 0.25 + 0.5 * (places // 2) + _JITTER * (2 * own[..., 5] - 1),
        "rotation": _TILT * (2 * own[..., 6] - 1),
        "front": _colour(luma[:, None] + sign * gap, 2 * np.pi * own[..., 7], 0.1 + 0.2 * own[..., 8]),
        "back": _colour(luma, 2 * np.pi * u[:, 2], 0.1 * u[:, 3]),
        "direction": 2 * np.pi * own[..., 9],
        "spin": 0.3 * (2 * own[..., 10] - 1),
        "texture": texture.astype(int),
        "amplitude": 0.07 + 0.05 * u[:, 5],
        "angle": np.pi * direction + 0.4 * (u[:, 6] - 0.5),
        "waves": waves * (0.85 + 0.3 * u[:, 7]),
        "phase": 2 * np.pi * u[:, 8],
        "shade": 0.15 * (2 * u[:, 9] - 1),
        "light": 2 * np.pi * u[:, 10],
        "clouds": 2 * u[:, 16 + _DRAWS * COPIES :].reshape(-1, _GRID, _GRID, 3) - 1,
    }


def draw(f: dict[str, np.ndarray], size: int) -> np.ndarray:
    """Pictures (n, S, S, 3) uint8 of what `factors` says of each; size is S."""
    f = {name: value.astype(np.float32) for name, value in f.items()}
    grid = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / size
    x, y = grid[None, None, :], grid[None, :, None]

    along = np.cos(f["angle"])[_PIXEL] * x + np.sin(f["angle"])[_PIXEL] * y
    stripes = np.sin(2 * np.pi * f["waves"][_PIXEL] * along + f["phase"][_PIXEL])[..., None]
    across = np.cos(f["angle"])[_PIXEL] * y - np.sin(f["angle"])[_PIXEL] * x
    checks = stripes * np.sin(2 * np.pi * f["waves"][_PIXEL] * across + 2 * f["phase"][_PIXEL])[..., None]
    weights = np.maximum(0, 1 - np.abs(grid[:, None] * (_GRID - 1) - np.arange(_GRID, dtype=np.float32)))
    clouds = np.einsum("yi,nijc->nyjc", weights, f["clouds"])
    clouds = np.einsum("xj,nyjc->nyxc", weights, clouds)
    texture = f["texture"][_PIXEL][..., None]
    checks = np.where(texture == 3, 1.5 * checks, 0.1 * clouds)
    pattern = np.where(texture == 1, stripes, np.where(texture == 2, 1.5 * clouds, checks))
    picture = f["back"][_PIXEL] + f["amplitude"][_PIXEL][..., None] * pattern + _CLUTTER * clouds

    for copy in range(COPIES):
        picture += cover(f, copy, size)[..., None] * (f["front"][:, copy][_PIXEL] - picture)
    slope = np.cos(f["light"])[_PIXEL] * (x - 0.5) + np.sin(f["light"])[_PIXEL] * (y - 0.5)
    picture += (f["shade"][_PIXEL] * slope)[..., None]
    return (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def cover(f: dict[str, np.ndarray], copy: int, size: int) -> np.ndarray:
    """How much of each pixel a copy of the shape covers, 0 to 1, (n, S, S): the outline is antialiased over one pixel."""
    own = {name: f[name][:, copy].astype(np.float32) for name in ("x", "y", "rotation", "radius")}
    grid = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / size
    x, y = grid[None, None, :] - own["x"][_PIXEL], grid[None, :, None] - own["y"][_PIXEL]
    cos, sin = np.cos(own["rotation"])[_PIXEL], np.sin(own["rotation"])[_PIXEL]
    radius = own["radius"][_PIXEL]
    u, v = (cos * x + sin * y) / radius, (cos * y - sin * x) / radius
    drawn = copy < f["count"]
    distance = np.ones(u.shape, np.float32)
    for number in np.unique(f["shape"][drawn]):
        rows = drawn & (f["shape"] == number)
        distance[rows] = SHAPES[int(number)](u[rows], v[rows])
    return (0.5 - distance * radius * size).clip(0, 1)


def _colour(luma, hue, chroma):
    """RGB (..., 3) with a given luma: YIQ with hue as the angle, so that contrast survives a conversion to grey."""
    i, q = chroma * np.cos(hue), chroma * np.sin(hue)
    rgb = luma[..., None] + np.stack([0.956 * i + 0.619 * q, -0.272 * i - 0.647 * q, -1.106 * i + 1.703 * q], -1)
    return rgb.clip(0, 1)
