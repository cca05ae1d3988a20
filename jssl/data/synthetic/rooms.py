"""Two rooms with a door, made by code from a seed: a dot moves as it is told to, and walls stop it."""

import hashlib

import jax
import numpy as np

from jssl.data.source import About
from jssl.data.synthetic.drawing import uniform
from jssl.data.synthetic.made import MadeSource

__all__ = ["SyntheticRoomsSource", "draw", "move", "places"]

_VERSION = 1  # raise it when the clips change
_OWN = 0xD00  # rooms draw other numbers than pictures of the same seed
# Lengths are in frame widths.
RADIUS = 0.06  # of the dot
WALL = 0.03  # half of how thick walls are
DOOR = 0.16  # half of how wide the door is
SPEED = 0.08  # how far an action of length one moves the dot
_OUTER = WALL + RADIUS  # the dot's middle is as far from the edge of the frame
_INNER = WALL + RADIUS  # and from the middle of the wall between the rooms
_OPEN = DOOR - RADIUS  # as far from the middle of the door it is in it
_ROUNDING = 1e-9  # who stands at a wall, or at the side of the door, is not in it
_TURN = 1.0  # largest change of direction from one action to the next, in radians
_SLOWEST = 0.3  # length of the shortest action
_COLOURS = np.array(
    [[0.1, 0.1, 0.15], [0.45, 0.5, 0.65], [1.0, 0.75, 0.3]], np.float32
)  # of the floor, walls and the dot


class SyntheticRoomsSource(MadeSource):
    """A dot explores two rooms that a wall with a door parts.

    The first frame shows it anywhere, each action moves it, see ``move``. Actions keep their direction but for up to a
    radian, and are 0.3 to 1 long.

    Examples have ``video`` (T, S, S, 3) uint8 and ``actions`` (T - 1, 2) float32, to the right and down: the t-th is what
    is done between frame t and the next one.

    Args:
      split: "train" or "test": different examples of the same distribution.
      num_examples: examples in "train"; "test" has a fifth of it.
      frames: T, at least 2.
      image_size: S, side in pixels, at least 12.
      seed: of everything that is drawn.
      doors: heights at which the door may be, one of which is drawn for each example; 1 has it in the middle of the wall.

    Raises:
      ValueError: if an option is out of range.

    >>> source = SyntheticRoomsSource("test", num_examples=50, frames=8, image_size=16)
    >>> len(source), source[0]["video"].shape, source[0]["actions"].shape
    (10, (8, 16, 16, 3), (7, 2))
    """

    OPTIONS = dict.fromkeys(("num_examples", "frames", "image_size", "seed", "doors"), int)

    def __init__(self, split="train", *, num_examples=10_000, frames=16, image_size=24, seed=0, doors=1):
        if frames < 2 or image_size < 12 or doors < 1:
            raise ValueError(f"frames={frames}, image_size={image_size}, doors={doors}; use at least 2, 12 and 1")
        spec = {
            "video": jax.ShapeDtypeStruct((frames, image_size, image_size, 3), np.uint8),
            "actions": jax.ShapeDtypeStruct((frames - 1, 2), np.float32),
        }
        super().__init__(split, num_examples, spec)
        self.frames, self.image_size, self.seed, self.doors = frames, image_size, seed, doors
        self.about = About()
        told = repr((_VERSION, split, num_examples, frames, image_size, seed, doors))
        self.fingerprint = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()

    def _examples(self, index: np.ndarray) -> dict[str, np.ndarray]:
        """The (n,) examples, stacked."""
        steps = self.frames - 1
        u = uniform(self.seed + _OWN, self.split, index, 4 + 2 * steps)
        position, door = places(u[:, :3], self.doors)
        angle = 2 * np.pi * u[:, 3:4] + np.cumsum(_TURN * (2 * u[:, 4 : 4 + steps] - 1), 1)
        length = _SLOWEST + (1 - _SLOWEST) * u[:, 4 + steps :]
        actions = (length[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1)).astype(np.float32)
        path = [position]
        for step in range(steps):
            path.append(move(path[-1], actions[:, step], door))
        frames = draw(np.stack(path, 1).reshape(-1, 2), door.repeat(self.frames), self.image_size)
        return {"video": frames.reshape(len(index), self.frames, *frames.shape[1:]), "actions": actions}


def places(u: np.ndarray, doors: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Where a dot may be, and where the door is.

    Args:
      u: (n, 3) numbers in [0, 1): of the dot's place across and down, and of the door's.
      doors: heights at which the door may be.

    Returns:
      (position (n, 2), across and down, door (n,), how far down its middle is), float64, in frame widths.

    >>> places(np.array([[0.0, 0.5, 0.9], [0.5, 1.0, 0.9]]))[0].round(2).tolist()  # the second is in the door
    [[0.09, 0.5], [0.5, 0.6]]
    """
    u = np.asarray(u, np.float64)
    lowest = 2 * WALL + DOOR
    door = lowest + (1 - 2 * lowest) * (np.floor(u[:, 2] * doors) + 0.5) / doors
    x, y = (_OUTER + (1 - 2 * _OUTER) * u[:, :2]).T
    y = np.where(abs(x - 0.5) < _INNER, door + _OPEN * (2 * u[:, 1] - 1), y)
    return np.stack([x, y], -1), door


def move(position: np.ndarray, action: np.ndarray, door: np.ndarray) -> np.ndarray:
    """Where a dot is after an action: first it moves across, then down, and walls stop each movement by itself.

    Args:
      position: (n, 2) across and down, in frame widths, where the dot may be.
      action: (n, 2); one of length 1 moves the dot by ``SPEED``, and longer ones do no more.
      door: (n,) how far down the middle of the door is.

    Returns:
      (n, 2) float64.

    >>> at, door = np.array([[0.4, 0.5], [0.4, 0.2]]), np.array([0.5, 0.5])
    >>> move(at, np.array([[1.0, 0.0]]), door).round(2).tolist()  # into the door, and against the wall
    [[0.48, 0.5], [0.41, 0.2]]
    """
    position, action = np.asarray(position, np.float64), np.asarray(action, np.float64)
    action = action / np.maximum(np.linalg.norm(action, axis=-1, keepdims=True), 1.0)
    (x, y), (right, down) = position.T, SPEED * action.T
    in_door, left = abs(y - door) <= _OPEN + _ROUNDING, x < 0.5
    # No step is as long as the wall is thick with the dot on either side of it: none jumps over.
    stop = np.where(left, 0.5 - _INNER, 0.5 + _INNER)
    there = np.clip(x + right, _OUTER, 1 - _OUTER)
    there = np.where(~in_door & (np.where(left, there > stop, there < stop)), stop, there)
    within = abs(there - 0.5) < _INNER - _ROUNDING
    lowest, highest = np.where(within, door - _OPEN, _OUTER), np.where(within, door + _OPEN, 1 - _OUTER)
    return np.stack([there, np.clip(y + down, lowest, highest)], -1)


def draw(position: np.ndarray, door: np.ndarray, size: int) -> np.ndarray:
    """Pictures (n, S, S, 3) uint8 of dots at ``position`` (n, 2), with the door at ``door`` (n,); size is S.

    >>> draw(np.array([[0.25, 0.5]]), np.array([0.5]), 12).shape
    (1, 12, 12, 3)
    """
    grid = ((np.arange(size) + 0.5) / size).astype(np.float32)
    x, y = grid[None, None, :], grid[None, :, None]

    def inside(distance):  # antialiased over a pixel
        return (0.5 - distance * size).clip(0, 1)

    at, middle = np.asarray(position, np.float32)[:, :, None, None], np.asarray(door, np.float32)[:, None, None]
    frame = inside(np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) - WALL)
    wall = inside(np.maximum(abs(x - 0.5) - WALL, DOOR - abs(y - middle)))
    dot = inside(np.hypot(x - at[:, 0], y - at[:, 1]) - RADIUS)
    picture = np.broadcast_to(_COLOURS[0], (*dot.shape, 3))
    for part, colour in ((np.maximum(frame, wall), _COLOURS[1]), (dot, _COLOURS[2])):
        picture = picture + part[..., None] * (colour - picture)
    return (picture * 255 + 0.5).astype(np.uint8)
