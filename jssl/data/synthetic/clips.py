"""Clips made by code from a seed: how the shapes move is the class, and nothing else is."""

import hashlib

import jax
import numpy as np

from jssl.data.source import About
from jssl.data.synthetic import drawing
from jssl.data.synthetic.made import MadeSource
from jssl.data.synthetic.shapes import SHAPES

__all__ = ["SyntheticClipsSource"]

_VERSION = 1  # raise it when the clips change
_REACH = 0.12  # of a copy either way from its middle, in frame widths
_SMALLER = 0.7  # than in the pictures, so that the copies stay in sight
MOTIONS = ("through", "back", "twice")
RELATIONS = ("together", "apart")
CLASSES = tuple(f"{motion} {relation}" for motion in MOTIONS for relation in RELATIONS)


class SyntheticClipsSource(MadeSource):
    """Shapes on textured backgrounds, each moving on a straight line, in one of six ways.

    A class is a motion and a relation. The motion is the order in which the places of a line are visited: once ("through"),
    there and back at double speed ("back"), or two times over at double speed ("twice"). Copies move alongside each other
    ("together") or every other one in the opposite direction ("apart").

    Every clip visits T places that are spread evenly on each line, each once, whatever its class, and lines are as long to
    either side of a middle that is drawn. So the mean of the frames says nothing of the class, but for the few copies that
    cover each other. Shape, texture, colours, light, places, number and the direction of the lines are drawn
    independently of it, and a flipped or turned clip is of the same class.

    Args:
      split: "train" or "test": different examples of the same distribution.
      num_examples: examples in "train"; "test" has a fifth of it.
      frames: T, at least 4.
      image_size: side in pixels.
      seed: of everything that is drawn.
      flow: 1 adds the true optical flow, ``flow`` (T - 1, H, W, 2) float32: how many pixels to the right and down what is seen
        at a pixel of frame t moves until frame t + 1. The background stands still; a pixel that copies share is of the upper
        one, and one that the edge of a copy cuts is of the copy that covers half of it.

    Raises:
      ValueError: if an option is out of range.

    >>> source = SyntheticClipsSource("test", num_examples=50, frames=8, image_size=16, flow=1)
    >>> len(source), source[0]["video"].shape, source[0]["flow"].shape
    (10, (8, 16, 16, 3), (7, 16, 16, 2))
    >>> source.about.class_names[int(source[3]["label"])]
    'back apart'
    """

    OPTIONS = dict.fromkeys(("num_examples", "frames", "image_size", "seed", "flow"), int)

    def __init__(self, split="train", *, num_examples=10_000, frames=8, image_size=32, seed=0, flow=0):
        if frames < 4 or image_size < 8 or flow not in (0, 1):
            raise ValueError(f"frames={frames}, image_size={image_size}, flow={flow}; use at least 4 and 8, and 0 or 1")
        spec = {
            "video": jax.ShapeDtypeStruct((frames, image_size, image_size, 3), np.uint8),
            "label": jax.ShapeDtypeStruct((), np.int32),
        }
        if flow:
            spec |= {"flow": jax.ShapeDtypeStruct((frames - 1, image_size, image_size, 2), np.float32)}
        super().__init__(split, num_examples, spec)
        self.frames, self.image_size, self.seed = frames, image_size, seed
        self.about = About(class_names=CLASSES)
        told = repr((_VERSION, split, num_examples, frames, image_size, seed, flow))
        self.fingerprint = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()

    def _examples(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """The (n,) examples, stacked."""
        label = index % len(CLASSES)
        factors = self._factors(index, label)
        shape = len(index), self.frames, self.image_size, self.image_size
        examples = {"video": drawing.draw(factors, self.image_size).reshape(*shape, 3), "label": label.astype(np.int32)}
        if "flow" in self.spec:
            examples["flow"] = self._flow(factors).reshape(len(index), self.frames, *shape[2:], 2)[:, :-1]
        return examples

    def _factors(self, index: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
        """What is drawn in each frame, (n * T, ...): see `jssl.data.synthetic.drawing.factors`."""
        u = drawing.uniform(self.seed, self.split, index, drawing.COLUMNS + 2)
        shape, direction = (u[:, drawing.COLUMNS :] * (len(SHAPES), 2 * np.pi)).T
        factors = drawing.factors(u[:, : drawing.COLUMNS], shape.astype(int))
        factors["radius"] = _SMALLER * factors["radius"]
        factors = {name: value.repeat(self.frames, 0) for name, value in factors.items()}

        along = _REACH * _ways(self.frames)[label // len(RELATIONS)].reshape(-1, 1)  # (n * T, 1)
        opposite = (label % len(RELATIONS)).repeat(self.frames)[:, None] * (np.arange(drawing.COPIES) % 2) == 1
        along = np.where(opposite, -along, along)
        direction = direction.repeat(self.frames)[:, None]
        return factors | {"x": factors["x"] + along * np.cos(direction), "y": factors["y"] + along * np.sin(direction)}

    def _flow(self, factors: dict[str, np.ndarray]) -> np.ndarray:
        """(n * T, S, S, 2): from each frame to the next of its clip; that of the last says nothing."""
        size = self.image_size
        flow = np.zeros((len(factors["count"]), size, size, 2), np.float32)
        moved = np.stack([np.roll(factors[axis], -1, 0) - factors[axis] for axis in ("x", "y")], -1) * size
        for copy in range(drawing.COPIES):
            covered = drawing.cover(factors, copy, size) >= 0.5
            flow = np.where(covered[..., None], moved[:, copy, None, None].astype(np.float32), flow)
        return flow


def _ways(frames: int) -> np.ndarray:
    """(motions, T): the places on a line from -1 to 1 in the order in which each motion visits them."""
    places = np.linspace(-1, 1, frames)
    even, odd = places[::2], places[1::2]
    return np.stack([places, np.concatenate([even, odd[::-1]]), np.concatenate([even, odd])])
