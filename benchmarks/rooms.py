"""Plans through the door, from pixels: how many of 100 starts reach their goal, and a picture of some.

jssl pretrain --config configs/ac_jepa.py:small --workdir runs/ac_jepa
python benchmarks/rooms.py --workdir runs/ac_jepa --out runs/ac_jepa

The dot starts in one room, the goal is a picture of it in the other. The planner sees two pictures and nothing else: the features
that actions lead to are to be near those of the goal, on the way and at its end (cross-entropy method, receding horizon). A start
has reached its goal when the dot is nearer to it than its own radius, within ``STEPS`` actions. Who knows both places and walks
straight ahead, sliding along walls, arrives from seven starts of ten: taken are those from which that fails, unless ``--any`` asks
for all. Beside stand this walk, and acting at random. A probe says whose fault it is where plans fail: how far the nearest of many
places, in feature space, is from the true one, of pictures and of features that were rolled out.
"""

import argparse
import functools
import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw

from jssl.data.synthetic import rooms
from jssl.planning import cross_entropy_method
from jssl.report.run import load_run

STEPS = 36  # actions that a start has
REPEAT, KNOTS = 3, 6  # an action is done so many times; so many actions are a plan
EXECUTED = 3  # steps of a plan that are done before the next one is made
SAMPLES, ELITES, ROUNDS = 96, 12, 4  # plans of a round, those that say the next mean, and rounds
SPREAD = 0.7  # deviation of what is drawn first
PLACES = 1500  # of the probe


class World:
    """The rooms as the networks of a run see them.

    Args:
      loaded: the run.
    """

    def __init__(self, loaded):
        self._run, self._weights = loaded.run.method, (loaded.state.params, loaded.state.extra)
        self._prepare = jax.jit(jax.vmap(self._run.readouts["video"].prepare))
        frames, self._size = loaded.run.card.spec["video"].shape[:2]
        self._still = np.zeros((frames, 1, 1, 1), np.uint8)
        self._actions = np.zeros(loaded.run.card.spec["actions"].shape, np.float32)

    def seen(self, position, door) -> jax.Array:
        """(n, 1, S, S, 3): pictures of dots as a network takes them."""
        video = rooms.draw(position, door, self._size)[:, None] + self._still
        return self._prepare({"video": video})[:, :1]

    @functools.cached_property
    def features(self):
        """Pictures (n, 1, S, S, 3) -> (n, D)."""
        return jax.jit(
            lambda seen: self._run.readouts["video"].apply(*self._weights, seen).tokens.reshape(len(seen), -1)
        )

    def foresee(self, seen, actions) -> jax.Array:
        """(n, 1, S, S, 3), (n, H, 2) -> features (n, H, D)."""
        found = self._run.readouts["future"].apply(*self._weights, {"video": seen, "actions": actions}).tokens
        return found.reshape(*actions.shape[:2], -1)

    @functools.partial(jax.jit, static_argnums=0)
    def plan(self, key, seen, goal, mean) -> jax.Array:
        """Plans (n, KNOTS, 2) from pictures (n, 1, S, S, 3) to features (n, D), near those of ``mean`` (n, KNOTS, 2)."""

        def one(key, seen, goal, mean):
            def cost(knots):
                found = self.foresee(seen[None], knots.repeat(REPEAT, 0)[None])[0]
                distance = jnp.abs(found - goal).mean(-1)
                return distance.mean() + distance[-1]

            return cross_entropy_method(
                cost, key, mean, SPREAD, samples=SAMPLES, elites=ELITES, iterations=ROUNDS, project=shortened
            )[0]

        return jax.vmap(one)(jax.random.split(key, len(seen)), seen, goal, mean)


def shortened(actions):
    """Actions of length one at most."""
    return actions / jnp.maximum(jnp.linalg.norm(actions, axis=-1, keepdims=True), 1.0)


def episodes(count: int, seed: int, straight: bool):
    """(starts (n, 2), goals (n, 2), doors (n,)): in different rooms, none in the door; ``straight``: those, too, that need no
    detour."""
    rng = np.random.default_rng(seed)
    (starts, doors), (goals, _) = (rooms.places(part) for part in rng.random((2, 40 * count, 3)))
    side = rooms.WALL + rooms.RADIUS
    taken = (starts[:, 0] - 0.5) * (goals[:, 0] - 0.5) < 0
    taken &= (abs(starts[:, 0] - 0.5) > side) & (abs(goals[:, 0] - 0.5) > side)
    if not straight:
        taken &= walk(straight_to(goals), starts, goals, doors)[1] > STEPS
    return starts[taken][:count], goals[taken][:count], doors[taken][:count]


def straight_to(goals):
    """The walk of who knows where the goals are, and of no walls."""
    return lambda step, position: (goals - position) / rooms.SPEED


def walk(act, starts, goals, doors):
    """(paths (n, STEPS + 1, 2), when each goal was reached (n,), STEPS + 1 for never) of what ``act(step, position)`` says."""
    path, reached = [starts], np.full(len(starts), STEPS + 1)
    for step in range(STEPS):
        position = rooms.move(path[-1], act(step, path[-1]), doors)
        arrived = (reached > STEPS) & (np.linalg.norm(position - goals, axis=1) < rooms.RADIUS)
        reached[arrived] = step + 1
        path.append(np.where((reached <= step)[:, None], path[-1], position))  # who is there stays
        if (reached <= STEPS).all():
            path += [path[-1]] * (STEPS - step - 1)
            break
    return np.stack(path, 1), reached


class Planner:
    """What to do, from the pictures of where the dots are and of their goals."""

    def __init__(self, world: World, goals, doors, seed: int):
        self._world, self._doors, self._key = world, doors, jax.random.key(seed)
        self._goal = world.features(world.seen(goals, doors))
        self._mean, self.first = jnp.zeros((len(goals), KNOTS, 2)), None

    def __call__(self, step, position):
        if step % EXECUTED == 0:
            self._key, key = jax.random.split(self._key)
            self._plan = self._world.plan(key, self._world.seen(position, self._doors), self._goal, self._mean)
            self.first = self._plan if self.first is None else self.first
            done = EXECUTED // REPEAT
            self._mean = jnp.concatenate([self._plan[:, done:], jnp.zeros_like(self._plan[:, :done])], 1)
        return np.asarray(self._plan[:, (step % EXECUTED) // REPEAT])


def probe(world: World, seed: int) -> dict[str, float]:
    """Distances in frame widths between true places and those whose features are nearest."""
    rng = np.random.default_rng(seed)
    known, door = rooms.places(rng.random((PLACES, 3)))
    bank = np.asarray(world.features(world.seen(known, door)))
    position, door = rooms.places(rng.random((200, 3)))
    knots = rng.uniform(0, 2 * np.pi, (200, KNOTS)).repeat(REPEAT, 1)
    actions = np.stack([np.cos(knots), np.sin(knots)], -1).astype(np.float32)
    seen = world.seen(position, door)

    def error(features, true):
        nearest = np.abs(np.asarray(features)[:, None] - bank).mean(-1).argmin(1)
        return float(np.linalg.norm(known[nearest] - true, axis=1).mean())

    found = {"of a picture": error(world.features(seen), position)}
    foreseen = jax.jit(world.foresee)(seen, actions)
    for step in range(KNOTS * REPEAT):
        position = rooms.move(position, actions[:, step], door)
        if step + 1 in (1, 6, 12, KNOTS * REPEAT):
            found[f"after {step + 1} steps"] = error(foreseen[:, step], position)
    return found


def picture(paths, plans, starts, goals, doors, side: int = 240) -> Image.Image:
    """One room per start: its first plan, done to the end (blue), the way that was gone (orange), the goal (a ring)."""
    cells = []
    for path, plan, start, goal, door in zip(paths, plans, starts, goals, doors):
        first = [start]
        for action in np.asarray(plan).repeat(REPEAT, 0):
            first.append(rooms.move(first[-1][None], action[None], door[None])[0])
        cell = Image.fromarray(rooms.draw(start[None], door[None], side)[0])
        pen = ImageDraw.Draw(cell)
        for points, colour, width in ((first, (90, 150, 255), 2), (path, (255, 150, 40), 3)):
            pen.line([tuple(float(x) for x in side * point) for point in points], colour, width)
        x, y = side * goal
        pen.ellipse([x - 12, y - 12, x + 12, y + 12], outline=(120, 230, 120), width=3)
        cells.append(np.asarray(cell))
    return Image.fromarray(
        np.concatenate([np.concatenate(cells[row : row + 4], 1) for row in range(0, len(cells), 4)], 0)
    )


def main() -> None:
    """Prints and writes the share that reaches the goal, and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--out", type=pathlib.Path, help="folder for rooms.md and rooms.png")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--any", action="store_true", help="of all starts, not of those alone that need a detour")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    try:
        world = World(load_run(args.workdir))
    except ValueError as error:
        raise SystemExit(f"rooms: {error}") from None
    starts, goals, doors = episodes(args.episodes, args.seed, args.any)
    began = time.process_time()
    planner = Planner(world, goals, doors, args.seed)
    paths, reached = walk(planner, starts, goals, doors)
    seconds = time.process_time() - began
    rng = np.random.default_rng(args.seed)
    others = {
        "straight ahead, from the true places": straight_to(goals),
        "at random": lambda step, position: rng.normal(size=position.shape),
    }
    lines = ["| who acts | of 100 starts reach the goal | steps, where they do (median) |", "| --- | --- | --- |"]
    for who, times in [("plans from pixels", reached)] + [
        (w, walk(act, starts, goals, doors)[1]) for w, act in others.items()
    ]:
        there = times <= STEPS
        steps = f"{np.median(times[there]):.0f}" if there.any() else "-"
        lines.append(f"| {who} | {100 * there.mean():.0f} | {steps} |")
    errors = "; ".join(f"{what} {value:.3f}" for what, value in probe(world, args.seed).items())
    lines += [
        "",
        f"Error of the nearest place in feature space, in frame widths (an action moves {rooms.SPEED}): {errors}.",
        "",
    ]
    print("\n".join(lines))
    print(f"{args.episodes} starts were planned in {seconds:.0f} s of processor time")
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        drawn = picture(*(part[:8] for part in (paths, planner.first, starts, goals, doors)))
        drawn.save(args.out / "rooms.png")
        told = "`jssl pretrain --config configs/ac_jepa.py:small`, then `python benchmarks/rooms.py` (its text says what is done):"
        (args.out / "rooms.md").write_text("\n".join(["# Two rooms: plans through the door", "", told, "", *lines]))


if __name__ == "__main__":
    main()
