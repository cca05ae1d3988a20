"""What the synthetic pictures show, in words."""

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["CAPTIONS", "TEXTURES", "Scene", "caption", "story"]

TEXTURES = ("plain", "striped", "cloudy", "checked")
_COUNTS = {2: "two", 3: "three", 4: "four"}
_PLURALS = {"cross": "crosses", "bars": "sets of bars", "dots": "groups of dots"}
_SINGULARS = {"bars": "set of bars", "dots": "group of dots"}

CAPTIONS = (
    "{count} {shapes} in {colours} on a {texture} {background} background",
    "a {texture} {background} background with {count} {shapes} in {colours}",
    "{count} {shapes}, {colours}, in front of {texture} {background}",
    "{colours} {shapes}, {count} of them, over {texture} {background}",
    "a picture of {shapes}",
    "{count} {shapes}",
)
"""The ways to say what is seen; the first is the usual one, the last say little, as people do."""

_COPY = ("the {shape} in the {place} is {colour}", "in the {place} is a {shape} in {colour}")
_BACKGROUND = ("the background is {texture} and {background}", "behind them all is {background}, {texture}")
_CLOSING = ("that makes {count} {shapes}", "so there are {count} {shapes}")


class Scene(NamedTuple):
    """What a picture shows.

    Attributes:
      shape: the class, of all copies.
      colours: of each copy.
      places: of each copy, "upper left" say; no two are in the same.
      texture: of the background.
      background: its colour.
    """

    shape: str
    colours: tuple[str, ...]
    places: tuple[str, ...]
    texture: str
    background: str

    def words(self) -> dict[str, str]:
        """What the sentences are filled in with."""
        return {
            "count": _COUNTS[len(self.colours)],
            "shape": _SINGULARS.get(self.shape, self.shape),
            "shapes": _PLURALS.get(self.shape, self.shape + "s"),
            "colours": f"{', '.join(self.colours[:-1])} and {self.colours[-1]}",
            "texture": self.texture,
            "background": self.background,
        }


def caption(scene: Scene, style: int = 0) -> str:
    """One sentence.

    Args:
      scene: what is seen.
      style: which of `CAPTIONS`.

    >>> caption(Scene("star", ("red", "light blue"), ("upper left", "lower left"), "striped", "grey"), 1)
    'a striped grey background with two stars in red and light blue'
    """
    return CAPTIONS[style].format(**scene.words())


def story(scene: Scene, draws: Sequence[float]) -> str:
    """A few sentences: what is seen, one on each copy and on the background in any order, and a summing-up.

    Each says again what an earlier one has said, so that whoever reads from left to right can tell much of what comes.

    Args:
      scene: what is seen.
      draws: five numbers in [0, 1), which choose how and in which order it is said.

    >>> story(Scene("ring", ("red", "blue"), ("upper left", "lower left"), "plain", "grey"), (0, 0, 0, 0, 0))
    'Two rings in red and blue on a plain grey background. The ring in the upper left is red. The ring in the lower left is \
blue. The background is plain and grey. That makes two rings.'
    """
    words = scene.words()
    style, first, of_copy, of_background, closing = draws
    copies = zip(scene.places, scene.colours)
    middle = [_pick(_COPY, of_copy).format(place=place, colour=colour, **words) for place, colour in copies]
    middle.append(_pick(_BACKGROUND, of_background).format(**words))
    turn = int(first * len(middle))
    sentences = [_pick(CAPTIONS[:4], style).format(**words), *middle[turn:], *middle[:turn]]
    sentences.append(_pick(_CLOSING, closing).format(**words))
    return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences)


def _pick(choices: Sequence[str], draw: float) -> str:
    return choices[int(draw * len(choices))]
