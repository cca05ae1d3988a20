"""Images made by code from a seed: a shape to recognise among nuisance that raw pixels cannot see past.

Two to four copies of one shape lie on a background; the shape, and the texture that goes with it, are the class. Number,
place, size, tilt and colour of the copies, whether each is brighter or darker than the background, and the background's
colours, clouds, light and phase are drawn independently of it.

Every value is a hash of (seed, split, example, column), so an example does not depend on how many there
are, on the version of numpy or on the order of access.
"""

import dataclasses
import hashlib

import jax
import numpy as np

from jssl.data.source import About
from jssl.data.synthetic import drawing
from jssl.data.synthetic.made import MadeSource
from jssl.data.synthetic.scenes import CAPTIONS, TEXTURES, Scene, caption, story
from jssl.data.synthetic.shapes import SHAPES
from jssl.data.text import tokenizers

__all__ = ["SyntheticSource"]

_VERSION = 2  # raise it when the pictures change
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


class SyntheticSource(MadeSource):
    """Shapes on textured backgrounds, with labels, captions and moving clips.

    Args:
      split: "train" or "test": different examples of the same distribution.
      num_examples: examples in "train"; "test" has a fifth of it.
      image_size: side in pixels.
      seed: of everything that is drawn.
      num_classes: the first so many of the ten shapes.
      captions: C, the captions of each example, each put in other words; 0 leaves the field out.
      caption_length: L, tokens of a caption, made by `jssl.data.text.tokenizers.row` from bytes. The default cuts none.

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
        if not 1 <= num_classes <= len(SHAPES):
            raise ValueError(f"num_classes is {num_classes}; there are 1 to {len(SHAPES)} shapes")
        if image_size < 8:
            raise ValueError(f"image_size={image_size}; use at least 8")
        if not 0 <= captions <= len(CAPTIONS) or caption_length < 3:
            raise ValueError(
                f"captions={captions}, caption_length={caption_length}; use 0 to {len(CAPTIONS)}, and at least 3"
            )
        self.image_size, self.seed = image_size, seed
        self._num_classes, self._captions, self._caption_length = num_classes, captions, caption_length
        self._tokenizer = tokenizers.make("bytes")
        spec = {
            "image": jax.ShapeDtypeStruct((image_size, image_size, 3), np.uint8),
            "size": jax.ShapeDtypeStruct((2,), np.int32),
            "label": jax.ShapeDtypeStruct((), np.int32),
        }
        self.about = About(class_names=tuple(shape.__name__ for shape in SHAPES[:num_classes]))
        options = (_VERSION, split, num_examples, image_size, seed, num_classes)
        if captions:
            spec |= {"captions": jax.ShapeDtypeStruct((captions, caption_length), np.int32)}
            about = {"vocabulary": self._tokenizer.vocabulary, "tokenizer": self._tokenizer.spec}
            self.about = dataclasses.replace(self.about, **about)
            options += captions, caption_length, CAPTIONS[:captions]
        super().__init__(split, num_examples, spec)
        self.fingerprint = hashlib.blake2b(repr(options).encode(), digest_size=16).hexdigest()

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
        """One sentence about an example, true of its picture; style is its wording, one of `jssl.data.synthetic.scenes.CAPTIONS`.

        >>> SyntheticSource("train", num_examples=10).caption(3)
        'two stars in dark red and light orange on a striped blue background'
        """
        return caption(self.scene(index), style)

    def story(self, index: int) -> str:
        """A few sentences about an example, true of its picture, see `jssl.data.synthetic.scenes.story`."""
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

    def height(self, index: int, time: np.ndarray) -> np.ndarray:
        """How high the first copy of the shape is in the frame while it moves as in `clip`: 0 at the foot, 1 at the top.

        Args:
          index: the example.
          time: (T,) in frames, fractions too.

        Returns:
          (T,) float64.
        """
        f = self._factors(np.array([range(len(self))[index]]))
        return 1 - _moved(f, np.asarray(time))["y"][:, 0]

    def _uniform(self, index: np.ndarray, columns: int) -> np.ndarray:
        return drawing.uniform(self.seed, self.split, index, columns)

    def _factors(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """What is drawn in each example, see `jssl.data.synthetic.drawing.factors`."""
        return drawing.factors(self._uniform(index, drawing.COLUMNS), index % self._num_classes)

    def _render(self, index: np.ndarray, time: np.ndarray | None = None) -> np.ndarray:
        """(n,) examples at (n,) times to (n, S, S, 3) uint8."""
        f = self._factors(index)
        if time is not None:
            f |= _moved(f, time)
        return drawing.draw(f, self.image_size)


def _moved(f: dict[str, np.ndarray], time: np.ndarray) -> dict[str, np.ndarray]:
    """Rotation and place of the copies at (n,) times, in frames."""
    moved = {"rotation": f["rotation"] + f["spin"] * time[:, None]}
    for axis, wave in (("x", np.cos), ("y", np.sin)):
        # Off the edge of the frame, or off the starting point where that is beyond it.
        low, high = np.minimum(f[axis], f["radius"]), np.maximum(f[axis], 1 - f["radius"])
        moved[axis] = _bounce(f[axis] + _SPEED * time[:, None] * wave(f["direction"]), low, high)
    return moved


def _bounce(value, low, high):
    """Reflects a straight motion at both ends of an interval."""
    span = high - low
    return low + span - np.abs((value - low) % (2 * span) - span)


def _name(rgb):
    """A colour in words."""
    red, green, blue = rgb
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    if max(rgb) - min(rgb) < 0.15:
        return "black" if luma < 0.2 else "white" if luma > 0.8 else "grey"
    hue = np.degrees(np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)) % 360
    name = next(name for end, name in _HUES if hue < end)
    return f"dark {name}" if luma < 0.3 else f"light {name}" if luma > 0.7 else name
