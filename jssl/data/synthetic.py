"""Images made by code from a seed: a shape to recognise among nuisance that raw pixels cannot see past.

Two to four copies of one shape lie on a background; the shape, and the texture that goes with it, are the class. Number,
place, size, tilt and colour of the copies, whether each is brighter or darker than the background, and the background's
colours, clouds, light and phase are drawn independently of it.

Every value is a hash of (seed, split, example, column), so an example does not depend on how many there
are, on the version of numpy or on the order of access.
"""

import dataclasses
import hashlib
import threading

import jax
import numpy as np

from jssl.data import tokenizers
from jssl.data.order import mix
from jssl.data.scenes import CAPTIONS, TEXTURES, Scene, caption, story
from jssl.data.shapes import SHAPES
from jssl.data.source import About, Source

__all__ = ["SyntheticSource"]

_VERSION = 2  # raise it when the pictures change
_CLUTTER = 0.12  # contrast of the clouds that lie over every background
_GRID = 5  # the background's clouds are a grid of random values, interpolated
_BLOCK = 32  # examples that are made together
_KEPT = 1 << 30  # bytes of pictures that are kept, at most
_COPIES = 4  # of the shape, at most
_DRAWS = 11  # numbers that each copy draws
_TILT = 0.5  # largest rotation either way, in radians
_JITTER = 0.1  # of the place of a copy, in frame widths
_SPEED = 0.06  # of a clip, in frame widths per frame
_HUES = (
    (20, "red"),
    (45, "orange"),
    (70, "yellow"),
    (165, "green"),
    (200, "cyan"),
    (255, "blue"),
    (290, "purple"),
    (340, "pink"),
    (360, "red"),
)
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


class SyntheticSource(Source):
    """Shapes on textured backgrounds, with labels, captions and moving clips.

    Args:
      split: "train" or "test": different examples of the same distribution.
      num_examples: examples in "train"; "test" has a fifth of it.
      image_size: side in pixels.
      seed: of everything that is drawn.
      num_classes: the first so many of the ten shapes.
      captions: C, the captions of each example, each put in other words; 0 leaves the field out.
      caption_length: L, tokens of a caption, made by `jssl.data.tokenizers.row` from bytes. The default cuts none.

    Raises:
      ValueError: if an option is out of range.

    >>> source = SyntheticSource("test", num_examples=50, image_size=16, captions=1)
    >>> len(source), source[0]["image"].shape, source[0]["captions"].shape, source.about.class_names[:3]
    (10, (16, 16, 3), (1, 128), ('circle', 'square', 'triangle'))
    """

    OPTIONS = dict.fromkeys(("num_examples", "image_size", "seed", "num_classes", "captions", "caption_length"), int)

    def __init__(
        self,
        split="train",
        *,
        num_examples=10_000,
        image_size=32,
        seed=0,
        num_classes=10,
        captions=0,
        caption_length=128,
    ):
        if split not in ("train", "test"):
            raise ValueError(f'split is "{split}"; use "train" or "test"')
        if not 1 <= num_classes <= len(SHAPES):
            raise ValueError(f"num_classes is {num_classes}; there are 1 to {len(SHAPES)} shapes")
        if num_examples < 1 or image_size < 8:
            raise ValueError(f"num_examples={num_examples}, image_size={image_size}; use at least 1 and 8")
        if not 0 <= captions <= len(CAPTIONS) or caption_length < 3:
            raise ValueError(
                f"captions={captions}, caption_length={caption_length}; use 0 to {len(CAPTIONS)}, and at least 3"
            )
        self.image_size, self.seed, self.split = image_size, seed, split
        self._length = num_examples if split == "train" else -(-num_examples // 5)
        self._num_classes, self._captions, self._caption_length = num_classes, captions, caption_length
        self._tokenizer = tokenizers.make("bytes")
        self.spec = {
            "image": jax.ShapeDtypeStruct((image_size, image_size, 3), np.uint8),
            "size": jax.ShapeDtypeStruct((2,), np.int32),
            "label": jax.ShapeDtypeStruct((), np.int32),
        }
        self.about = About(class_names=tuple(shape.__name__ for shape in SHAPES[:num_classes]))
        options = (_VERSION, split, num_examples, image_size, seed, num_classes)
        if captions:
            self.spec |= {"captions": jax.ShapeDtypeStruct((captions, caption_length), np.int32)}
            about = {"vocabulary": self._tokenizer.vocabulary, "tokenizer": self._tokenizer.spec}
            self.about = dataclasses.replace(self.about, **about)
            options += captions, caption_length, CAPTIONS[:captions]
        self.fingerprint = hashlib.blake2b(repr(options).encode(), digest_size=16).hexdigest()
        self._blocks: dict[int, dict[str, np.ndarray]] = {}
        self._locks = self._make_locks()

    def __len__(self):
        return self._length

    def __getitem__(self, index):
        """Neighbours are made along with an example and kept, unless the set is too large."""
        index = range(len(self))[index]
        if not self._kept:
            return {name: array[0] for name, array in self._examples(np.array([index])).items()}
        number, row = divmod(index, _BLOCK)
        with self._locks[number]:  # of two threads that ask for a block, one makes it
            if number not in self._blocks:
                block = self._examples(np.arange(number * _BLOCK, min((number + 1) * _BLOCK, len(self))))
                for array in block.values():
                    array.flags.writeable = False
                self._blocks[number] = block
        return {name: array[row] for name, array in self._blocks[number].items()}

    def __getstate__(self):
        return self.__dict__ | {"_blocks": {}, "_locks": None}

    def __setstate__(self, state):
        self.__dict__ |= state
        self._locks = self._make_locks()

    @property
    def _kept(self) -> bool:
        """Whether what was made is kept."""
        return len(self) * 3 * self.image_size**2 <= _KEPT

    def _make_locks(self):
        return [threading.Lock() for _ in range(-(-len(self) // _BLOCK))] if self._kept else []

    def _examples(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """The (n,) examples, stacked."""
        examples = {
            "image": self._render(index),
            "size": np.full((len(index), 2), self.image_size, np.int32),
            "label": (index % self._num_classes).astype(np.int32),
        }
        if self._captions:
            scenes, styles = [self.scene(i) for i in index], range(self._captions)
            texts = [[caption(scene, style) for style in styles] for scene in scenes]
            rows = [[tokenizers.row(self._tokenizer, text, self._caption_length) for text in own] for own in texts]
            examples["captions"] = np.array(rows)
        return examples

    def scene(self, index: int) -> Scene:
        """What an example shows, in words."""
        index = range(len(self))[index]
        f = {name: value[0] for name, value in self._factors(np.array([index])).items()}
        copies = range(f["count"])
        return Scene(
            shape=self.about.class_names[index % self._num_classes],
            colours=tuple(_name(f["front"][copy]) for copy in copies),
            places=tuple(
                f"{'upper' if f['y'][copy] < 0.5 else 'lower'} {'left' if f['x'][copy] < 0.5 else 'right'}"
                for copy in copies
            ),
            texture=TEXTURES[f["texture"]],
            background=_name(f["back"]),
        )

    def caption(self, index: int, style: int = 0) -> str:
        """One sentence about an example, true of its picture; style is its wording, one of `jssl.data.scenes.CAPTIONS`.

        >>> SyntheticSource("train", num_examples=10).caption(3)
        'two stars in dark red and light orange on a striped blue background'
        """
        return caption(self.scene(index), style)

    def story(self, index: int) -> str:
        """A few sentences about an example, true of its picture, see `jssl.data.scenes.story`."""
        index = range(len(self))[index]
        return story(
            self.scene(index), self._uniform(np.array([index]), 16)[0, 11:].tolist()
        )  # which no picture depends on

    def clip(self, index: int, frames: int) -> np.ndarray:
        """The example in motion: the copies drift, bounce off the edges and turn; frame 0 is the image itself.

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
        key = mix(mix(np.uint64(self.seed % (1 << 64))) ^ np.uint64(1 + (self.split == "test")))  # type: ignore[arg-type]
        key = mix(key ^ mix(index.astype(np.uint64)))[:, None]
        bits = mix(key ^ mix(np.arange(columns, dtype=np.uint64)))
        return ((bits >> np.uint64(40)).astype(np.float32)) * np.float32(2**-24)

    def _factors(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """Everything that is drawn, one row per example. Lengths are fractions of the frame."""
        u = self._uniform(index, 16 + _DRAWS * _COPIES + 3 * _GRID * _GRID)
        own = u[:, 16 : 16 + _DRAWS * _COPIES].reshape(-1, _COPIES, _DRAWS)  # what each copy of the shape draws
        texture, direction, waves = _BACKGROUNDS[index % self._num_classes].T
        count = 2 + (u[:, 0] * (_COPIES - 1)).astype(int)
        places = np.argsort(own[..., 0], 1)  # which quarter of the frame each copy is in
        radius = 0.17 + 0.07 * own[..., 1]
        luma = 0.41 + 0.18 * u[:, 1]  # of the background
        gap = 0.28 + 0.12 * own[..., 2]
        # Brighter or darker than the background, copy by copy: the sign of the contrast says nothing about the class.
        sign = np.where(own[..., 3] < 0.5, -1, 1)
        return {
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
            "clouds": 2 * u[:, 16 + _DRAWS * _COPIES :].reshape(-1, _GRID, _GRID, 3) - 1,
        }

    def _render(self, index: np.ndarray, time: np.ndarray | None = None) -> np.ndarray:
        """(n,) examples at (n,) times to (n, S, S, 3) uint8."""
        f, size = self._factors(index), self.image_size
        if time is not None:
            f["rotation"] = f["rotation"] + f["spin"] * time[:, None]
            for axis, wave in (("x", np.cos), ("y", np.sin)):
                # Off the edge of the frame, or off the starting point where that is beyond it.
                low, high = np.minimum(f[axis], f["radius"]), np.maximum(f[axis], 1 - f["radius"])
                f[axis] = _bounce(f[axis] + _SPEED * time[:, None] * wave(f["direction"]), low, high)
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

        for copy in range(_COPIES):
            own = {name: f[name][:, copy] for name in ("x", "y", "rotation", "radius", "front")}
            cover = self._cover(index, x, y, own, copy < f["count"])[..., None]
            picture += cover * (own["front"][_PIXEL] - picture)
        slope = np.cos(f["light"])[_PIXEL] * (x - 0.5) + np.sin(f["light"])[_PIXEL] * (y - 0.5)
        picture += (f["shade"][_PIXEL] * slope)[..., None]
        return (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)

    def _cover(self, index, x, y, own, drawn):
        """How much of each pixel a copy of the shape covers, 0 to 1: the outline is antialiased over one pixel."""
        x, y = x - own["x"][_PIXEL], y - own["y"][_PIXEL]
        cos, sin = np.cos(own["rotation"])[_PIXEL], np.sin(own["rotation"])[_PIXEL]
        radius = own["radius"][_PIXEL]
        u, v = (cos * x + sin * y) / radius, (cos * y - sin * x) / radius
        label = index % self._num_classes
        distance = np.ones(u.shape, np.float32)
        for number in np.unique(label[drawn]):
            rows = drawn & (label == number)
            distance[rows] = SHAPES[number](u[rows], v[rows])
        return (0.5 - distance * radius * self.image_size).clip(0, 1)


def _bounce(value, low, high):
    """Reflects a straight motion at both ends of an interval."""
    span = high - low
    return low + span - np.abs((value - low) % (2 * span) - span)


def _colour(luma, hue, chroma):
    """RGB (..., 3) with a given luma: YIQ with hue as the angle, so that contrast survives a conversion to grey."""
    i, q = chroma * np.cos(hue), chroma * np.sin(hue)
    rgb = luma[..., None] + np.stack([0.956 * i + 0.619 * q, -0.272 * i - 0.647 * q, -1.106 * i + 1.703 * q], -1)
    return rgb.clip(0, 1)


def _name(rgb):
    """A colour in words."""
    red, green, blue = rgb
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    if max(rgb) - min(rgb) < 0.15:
        return "black" if luma < 0.2 else "white" if luma > 0.8 else "grey"
    hue = np.degrees(np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)) % 360
    name = next(name for end, name in _HUES if hue < end)
    return f"dark {name}" if luma < 0.3 else f"light {name}" if luma > 0.7 else name
