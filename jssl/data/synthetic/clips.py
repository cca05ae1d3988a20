"""Clips made by code from a seed, with their sound: how the shapes move is the class, and nothing else is."""

import hashlib

import jax
import numpy as np

from jssl.data.source import About
from jssl.data.synthetic import drawing
from jssl.data.synthetic.made import MadeSource
from jssl.data.synthetic.shapes import SHAPES
from jssl.data.synthetic.voices import HARMONICS, TIMBRES, voice

__all__ = ["SyntheticClipsSource"]

_VERSION = 1  # raise it when the clips change
_REACH = 0.12  # of a copy either way from its middle, in frame widths
_SMALLER = 0.7  # than in the pictures, so that the copies stay in sight
_FRAMES = 8  # in a second, of clips with sound
_LOWEST, _OCTAVES = 110, 2  # Hz of a shape at the foot of the frame, and how much higher it sounds at the top
_HEARD = 0x50E  # sounds draw other numbers than the pictures of the same seed
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
      sound: samples per second; with them there are ``audio`` (sound * T / 8,) int16, the sound of the clip, ``length`` (),
        its number of samples, and ``timbre`` () int32, which of the ten shapes it is that is seen and heard. Each copy is a
        voice. The shape is its timbre, see `jssl.data.synthetic.voices`, struck anew at each frame where it dies away; pitch
        is the copy's height, two octaves from the foot of the frame to the top, and moves as the copy does. Loudness, the
        phases of the harmonics and the noise are drawn. 0 leaves them out.

    Raises:
      ValueError: if an option is out of range.

    >>> source = SyntheticClipsSource("test", num_examples=50, frames=8, image_size=16, flow=1)
    >>> len(source), source[0]["video"].shape, source[0]["flow"].shape
    (10, (8, 16, 16, 3), (7, 16, 16, 2))
    >>> source.about.class_names[int(source[3]["label"])]
    'back apart'
    >>> SyntheticClipsSource(num_examples=50, image_size=16, sound=8000)[0]["audio"].shape  # eight frames a second
    (8000,)
    """

    OPTIONS = dict.fromkeys(("num_examples", "frames", "image_size", "seed", "flow", "sound"), int)

    def __init__(self, split="train", *, num_examples=10_000, frames=8, image_size=32, seed=0, flow=0, sound=0):
        if frames < 4 or image_size < 8 or flow not in (0, 1):
            raise ValueError(f"frames={frames}, image_size={image_size}, flow={flow}; use at least 4 and 8, and 0 or 1")
        if sound and sound < 1000:
            raise ValueError(f"sound={sound}; use at least 1000 samples a second, or 0")
        spec = {
            "video": jax.ShapeDtypeStruct((frames, image_size, image_size, 3), np.uint8),
            "label": jax.ShapeDtypeStruct((), np.int32),
        }
        if flow:
            spec |= {"flow": jax.ShapeDtypeStruct((frames - 1, image_size, image_size, 2), np.float32)}
        self._samples = sound * frames // _FRAMES
        if sound:
            fields = {"audio": ((self._samples,), np.int16), "length": ((), np.int32), "timbre": ((), np.int32)}
            spec |= {name: jax.ShapeDtypeStruct(shape, dtype) for name, (shape, dtype) in fields.items()}
        super().__init__(split, num_examples, spec)
        self.frames, self.image_size, self.seed = frames, image_size, seed
        self.about = About(class_names=CLASSES, sample_rate=sound or None)
        told = (_VERSION, split, num_examples, frames, image_size, seed, flow) + ((sound,) if sound else ())
        self.fingerprint = hashlib.blake2b(repr(told).encode(), digest_size=16).hexdigest()

    def _examples(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """The (n,) examples, stacked."""
        label = index % len(CLASSES)
        factors = self._factors(index, label)
        shape = len(index), self.frames, self.image_size, self.image_size
        examples = {"video": drawing.draw(factors, self.image_size).reshape(*shape, 3), "label": label.astype(np.int32)}
        if "flow" in self.spec:
            examples["flow"] = self._flow(factors).reshape(len(index), self.frames, *shape[2:], 2)[:, :-1]
        if "audio" in self.spec:
            examples |= self._sounds(index, factors)
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

    def _sounds(self, index: np.ndarray, factors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What the examples sound like, stacked."""
        clips, rate = len(index), self.about.sample_rate
        assert rate
        shapes, counts = (factors[name].reshape(clips, -1)[:, 0] for name in ("shape", "count"))
        heights = 1 - factors["y"].reshape(clips, self.frames, -1)
        own = 2 + HARMONICS * drawing.COPIES
        drawn = drawing.uniform(self.seed + _HEARD, self.split, index, own + self._samples).astype(np.float64)
        time = np.arange(self._samples) / rate
        middles = (np.arange(self.frames) + 0.5) / _FRAMES  # a frame is seen as it is in the middle of its time
        audio = np.zeros((clips, self._samples), np.int16)
        for row, (shape, count) in enumerate(zip(shapes, counts)):
            loud, hiss = 0.02 * 8 ** drawn[row, 0], 0.05 * 8 ** drawn[row, 1]
            phases = 2 * np.pi * drawn[row, 2:own].reshape(drawing.COPIES, HARMONICS)
            tone = np.zeros(self._samples)
            for copy in range(count):
                height = np.interp(time, middles, heights[row, :, copy])
                tone += voice(shape, _LOWEST * 2 ** (_OCTAVES * height), phases[copy], rate) / np.sqrt(count)
            decay, pulses = TIMBRES[shape, HARMONICS:]
            tone *= np.exp(-decay * (time % (1 / _FRAMES)))
            if pulses:
                tone *= 0.5 + 0.5 * np.sin(2 * np.pi * pulses * time)
            noise = np.sqrt(12) * (drawn[row, own:] - 0.5)
            audio[row] = np.rint((32767 * loud * (tone + hiss * noise)).clip(-32768, 32767))
        length = np.full(clips, self._samples, np.int32)
        return {"audio": audio, "length": length, "timbre": shapes.astype(np.int32)}


def _ways(frames: int) -> np.ndarray:
    """(motions, T): the places on a line from -1 to 1 in the order in which each motion visits them."""
    places = np.linspace(-1, 1, frames)
    even, odd = places[::2], places[1::2]
    return np.stack([places, np.concatenate([even, odd[::-1]]), np.concatenate([even, odd])])
