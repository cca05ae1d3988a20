"""The episodes of the rooms' benchmark, and what counts as reaching a goal."""

import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benchmarks"))  # a folder of scripts, not a package

import rooms  # noqa: E402

STARTS, GOALS, DOORS = rooms.episodes(20, 0, False)


def test_starts_and_goals_are_in_different_rooms_and_a_straight_line_gets_stuck():
    assert len(STARTS) == len(GOALS) == len(DOORS) == 20
    assert ((STARTS[:, 0] - 0.5) * (GOALS[:, 0] - 0.5) < 0).all()
    assert (rooms.walk(rooms.straight_to(GOALS), STARTS, GOALS, DOORS)[1] > rooms.STEPS).all()


def test_who_goes_by_the_door_reaches_every_goal_and_who_rests_none():
    side = np.sign(GOALS[:, 0] - 0.5)
    before, behind = (np.stack([0.5 + part * side, DOORS], 1) for part in (-0.12, 0.12))

    def by_the_door(step, position):
        there = (position[:, 0] - 0.5) * side > 0.1
        opposite = abs(position[:, 1] - DOORS) < 0.02
        towards = np.where(there[:, None], GOALS, np.where(opposite[:, None], behind, before))
        return (towards - position) / rooms.rooms.SPEED

    paths, reached = rooms.walk(by_the_door, STARTS, GOALS, DOORS)
    assert (reached <= rooms.STEPS).all()
    assert (np.linalg.norm(paths[:, -1] - GOALS, axis=1) < rooms.rooms.RADIUS).all()
    assert (rooms.walk(lambda step, position: 0 * position, STARTS, GOALS, DOORS)[1] > rooms.STEPS).all()
