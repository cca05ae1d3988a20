"""Images made by code from a seed: a shape to recognise among nuisance that raw pixels cannot see past.

The class is the shape. Position, size, rotation, colours, texture, shading and whether the shape or the background is
brighter are drawn independently of it. Every value is a hash of (seed, split, example, column), so an example does not
depend on how many there are, on the version of numpy or on the order of access.
"""

import hashlib

import numpy as np

from jssl.data.decode import parallel_map
from jssl.data.order import mix
from jssl.data.shapes import SHAPES
from jssl.data.source import Source

__all__ = ["SyntheticSource"]

_VERSION = 1  # raise it when the pictures change
_GRID = 5  # the background's clouds are a grid of random values, interpolated
_SPEED = 0.06  # of a clip, in frame widths per frame
_COLOURS = {
    "black": (0.05, 0.05, 0.05), "grey": (0.5, 0.5, 0.5), "white": (0.95, 0.95, 0.95), "red": (0.85, 0.15, 0.15),
    "orange": (0.95, 0.55, 0.1), "yellow": (0.9, 0.85, 0.2), "green": (0.2, 0.65, 0.2), "cyan": (0.2, 0.8, 0.8),
    "blue": (0.2, 0.3, 0.85), "purple": (0.5, 0.2, 0.7), "pink": (0.95, 0.5, 0.75), "brown": (0.45, 0.3, 0.15),
}  # fmt: skip
_TEXTURES = ("plain", "striped", "cloudy")


class SyntheticSource(Source):
    """Shapes on textured backgrounds, with labels, captions and moving clips.

    Args:
      split: "train" or "test": different examples of the same distribution.
      num_examples: examples in "train"; "test" has a fifth of it.
      image_size: side in pixels.
      seed: of everything that is drawn.
      num_classes: the first so many of the ten shapes.

    Raises:
      ValueError: if an option is out of range.

    >>> source = SyntheticSource("test", num_examples=50, image_size=16)
    >>> len(source), source[0]["image"].shape, source.class_names[:3]
    (10, (16, 16, 3), ('circle', 'square', 'triangle'))
    """

    OPTIONS = {"num_examples": int, "image_size": int, "seed": int, "num_classes": int}

    def __init__(self, split="train", *, num_examples=10_000, image_size=32, seed=0, num_classes=10):
        if split not in ("train", "test"):
            raise ValueError(f'split is "{split}"; use "train" or "test"')
        if not 1 <= num_classes <= len(SHAPES):
            raise ValueError(f"num_classes is {num_classes}; there are 1 to {len(SHAPES)} shapes")
        if num_examples < 1 or image_size < 8:
            raise ValueError(f"num_examples={num_examples}, image_size={image_size}; use at least 1 and 8")
        self.image_size, self.seed, self.split = image_size, seed, split
        self._length = num_examples if split == "train" else -(-num_examples // 5)
        self.class_names = tuple(shape.__name__ for shape in SHAPES[:num_classes])
        options = (_VERSION, split, num_examples, image_size, seed, num_classes)
        self.fingerprint = hashlib.blake2b(repr(options).encode(), digest_size=16).hexdigest()
        self._cache = None

    def __len__(self):
        return self._length

    def __getitem__(self, index):
        index = range(len(self))[index]
        image = self._cache[0][index] if self._cache is not None else self._render(np.array([index]))[0]
        return {"image": image, "label": index % len(self.class_names)}

    def arrays(self):
        """All images and labels, made once."""
        if self._cache is None:
            chunks = [np.arange(start, min(start + 256, len(self))) for start in range(0, len(self), 256)]
            images = np.concatenate(parallel_map(self._render, chunks))
            labels = (np.arange(len(self)) % len(self.class_names)).astype(np.int32)
            self._cache = images, labels
        return self._cache

    def caption(self, index: int) -> str:
        """One sentence about an example, true of its picture.

        >>> SyntheticSource("train", num_examples=10).caption(3)
        'a large green star at the bottom right of a cloudy yellow background'
        """
        f = self._factors(np.array([range(len(self))[index]]))
        size = "small" if f["radius"][0] < 0.3 else "large"
        across, down = (("left", "", "right"), ("top", "", "bottom"))
        x, y = ((f[axis][0] > 0.45).astype(int) + (f[axis][0] > 0.55) for axis in ("x", "y"))
        place = f"{down[y]} {across[x]}".strip() or "centre"
        shape = self.class_names[index % len(self.class_names)]
        shape = {"bars": "set of bars", "dots": "group of dots"}.get(shape, shape)
        front, back, texture = _name(f["front"][0]), _name(f["back"][0]), _TEXTURES[f["texture"][0]]
        return f"a {size} {front} {shape} at the {place} of a {texture} {back} background"

    def clip(self, index: int, frames: int) -> np.ndarray:
        """The example in motion: it drifts, bounces off the edges and turns; frame 0 is the image itself.

        Args:
          index: the example.
          frames: T.

        Returns:
          (T, H, W, 3) uint8.
        """
        index = range(len(self))[index]
        return self._render(np.full(frames, index), np.arange(frames))

    def _uniform(self, index: np.ndarray, columns: int) -> np.ndarray:
        """(n, columns) numbers in [0, 1), a hash of seed, split, example and column."""
        key = mix(mix(np.uint64(self.seed % (1 << 64))) ^ np.uint64(1 + (self.split == "test")))
        key = mix(key ^ mix(index.astype(np.uint64)))[:, None]
        bits = mix(key ^ mix(np.arange(columns, dtype=np.uint64)))
        return ((bits >> np.uint64(40)).astype(np.float32)) * np.float32(2**-24)

    def _factors(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """Everything that is drawn, one row per example. Lengths are fractions of the frame."""
        u = self._uniform(index, 24 + 3 * _GRID * _GRID)
        radius = 0.24 + 0.14 * u[:, 0]
        reach = 0.5 - 0.85 * radius  # how far the centre may be from the middle: nearly all of the shape is in sight
        brightness = 0.15 + 0.7 * u[:, 3]  # of the background
        gap = 0.3 + 0.2 * u[:, 4]
        # Brighter or darker at random where both fit: the sign of the contrast says nothing about the class.
        up = np.where(brightness + gap > 1, False, np.where(brightness - gap < 0, True, u[:, 5] < 0.5))
        back = _colour(brightness, 2 * np.pi * u[:, 6], 0.25 * u[:, 7])
        front = _colour(np.where(up, brightness + gap, brightness - gap), 2 * np.pi * u[:, 8], 0.3 * u[:, 9])
        return {
            "radius": radius,
            "reach": reach,
            "x": 0.5 + reach * (2 * u[:, 1] - 1),
            "y": 0.5 + reach * (2 * u[:, 2] - 1),
            "rotation": 2 * np.pi * u[:, 10],
            "back": back,
            "front": front,
            "texture": (u[:, 11] * len(_TEXTURES)).astype(int),
            "amplitude": 0.08 + 0.1 * u[:, 12],
            "angle": 2 * np.pi * u[:, 13],
            "waves": 2 + 3 * u[:, 14],
            "phase": 2 * np.pi * u[:, 15],
            "shade": 0.15 * (2 * u[:, 16] - 1),
            "shade_angle": 2 * np.pi * u[:, 17],
            "direction": 2 * np.pi * u[:, 18],
            "spin": 0.3 * (2 * u[:, 19] - 1),
            "clouds": 2 * u[:, 24:].reshape(-1, _GRID, _GRID, 3) - 1,
        }

    def _render(self, index: np.ndarray, time: np.ndarray | None = None) -> np.ndarray:
        """(n,) examples at (n,) times to (n, S, S, 3) uint8."""
        f, size = self._factors(index), self.image_size
        if time is not None:
            f["rotation"] = f["rotation"] + f["spin"] * time
            for axis, wave in (("x", np.cos), ("y", np.sin)):
                f[axis] = _bounce(f[axis] + time * _SPEED * wave(f["direction"]), 0.5 - f["reach"], 0.5 + f["reach"])
        f = {name: value[:, None, None].astype(np.float32) for name, value in f.items() if value.ndim == 1} | {
            name: value.astype(np.float32) for name, value in f.items() if value.ndim > 1
        }
        grid = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / size
        x, y = grid[None, None, :], grid[None, :, None]

        along = np.cos(f["angle"]) * x + np.sin(f["angle"]) * y
        stripes = np.sin(2 * np.pi * f["waves"] * along + f["phase"])[..., None]
        weights = np.maximum(0, 1 - np.abs(grid[:, None] * (_GRID - 1) - np.arange(_GRID, dtype=np.float32)))
        clouds = np.einsum("yi,nijc->nyjc", weights, f["clouds"])
        clouds = np.einsum("xj,nyjc->nyxc", weights, clouds)
        texture = f["texture"][..., None]
        pattern = np.where(texture == 1, stripes, np.where(texture == 2, 1.5 * clouds, 0.3 * clouds))
        picture = f["back"][:, None, None] + f["amplitude"][..., None] * pattern

        shape = self._cover(index, x - f["x"], y - f["y"], f)[..., None]
        picture += shape * (f["front"][:, None, None] - picture)
        shade = f["shade"] * (np.cos(f["shade_angle"]) * (x - 0.5) + np.sin(f["shade_angle"]) * (y - 0.5))
        picture += shade[..., None]
        return (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)

    def _cover(self, index, x, y, f):
        """How much of each pixel the shape covers, 0 to 1: the outline is antialiased over one pixel."""
        cos, sin = np.cos(f["rotation"]) / f["radius"], np.sin(f["rotation"]) / f["radius"]
        u, v = cos * x + sin * y, cos * y - sin * x
        label = index % len(self.class_names)
        distance = np.empty(u.shape, np.float32)
        for number in np.unique(label):
            rows = label == number
            distance[rows] = SHAPES[number](u[rows], v[rows])
        return (0.5 - distance * f["radius"] * self.image_size).clip(0, 1)


def _bounce(value, low, high):
    """Reflects a straight motion at both ends of an interval."""
    span = high - low
    return low + span - np.abs((value - low) % (2 * span) - span)


def _colour(luma, hue, chroma):
    """RGB (n, 3) with a given luma: YIQ with hue as the angle, so that contrast survives a conversion to grey."""
    i, q = chroma * np.cos(hue), chroma * np.sin(hue)
    rgb = luma[:, None] + np.stack([0.956 * i + 0.619 * q, -0.272 * i - 0.647 * q, -1.106 * i + 1.703 * q], 1)
    return rgb.clip(0, 1)


def _name(rgb):
    """The nearest named colour."""
    return min(_COLOURS, key=lambda name: float(np.sum((rgb - np.asarray(_COLOURS[name])) ** 2)))
