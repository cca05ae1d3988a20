"""Pictures that take seconds to learn from: one coarse coloured pattern per class, under noise as strong as it."""

import hashlib

import numpy as np

from jssl.data import About, ArraySource

__all__ = ["Patterns"]

CLASSES = 8
SIDE, COARSE = 16, 4  # pixels of a picture, and of the pattern that it is a magnification of
STRENGTH, NOISE = 30.0, 60.0  # deviations of pattern and noise, grey levels


class Patterns(ArraySource):
    """Pictures of 16 x 16, of eight classes. The noise cannot be predicted and is another one in each pixel, so whatever a method
    predicts or compares, it must find the pattern.

    Args:
      path: not read.
      split: "train" or "test".
      num_examples: in "train"; "test" has half of it.

    >>> source = Patterns("noisy", "test", num_examples=64)
    >>> len(source), source[3]["image"].shape, int(source[3]["label"])
    (32, (16, 16, 3), 3)
    """

    OPTIONS = {"num_examples": int}

    def __init__(self, path: str = "", split: str = "train", *, num_examples: int = 1024):
        count = num_examples if split == "train" else num_examples // 2
        rng = np.random.default_rng(1 + (split == "test"))
        patterns = np.random.default_rng(0).normal(size=(CLASSES, COARSE, COARSE, 3))
        patterns = patterns.repeat(SIDE // COARSE, 1).repeat(SIDE // COARSE, 2)
        label = (np.arange(count) % CLASSES).astype(np.int32)
        image = 128 + STRENGTH * patterns[label] + NOISE * rng.normal(size=(count, SIDE, SIDE, 3))
        fields: dict[str, np.ndarray] = {"image": image.clip(0, 255).astype(np.uint8), "label": label}
        super().__init__(fields, About(class_names=tuple("abcdefgh")))
        self.fingerprint = hashlib.blake2b(
            repr(("patterns", 1, split, num_examples)).encode(), digest_size=16
        ).hexdigest()
