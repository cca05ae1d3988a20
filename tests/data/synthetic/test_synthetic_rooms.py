import pickle

import numpy as np
import pytest

from jssl.data import open_source, stack
from jssl.data.synthetic import rooms

ROOMS = "synthetic_rooms:num_examples=200,frames=10,image_size=24,doors=3"
FROZEN = [[26] * 5, [26] * 5, [26, 72, 26, 26, 26], [26, 100, 26, 255, 26], [26, 100, 26, 26, 26]]


def seen(picture):
    """Where the dot is in pictures (..., S, S, 3), across and down: the middle of what is more red than blue."""
    weight = (picture[..., 0].astype(float) - picture[..., 2]).clip(0)
    grid = (np.arange(picture.shape[-2]) + 0.5) / picture.shape[-2]
    total = weight.sum((-2, -1))
    return np.stack([(weight.sum(-2) * grid).sum(-1), (weight.sum(-1) * grid).sum(-1)], -1) / total[..., None]


def test_deterministic_in_parts_and_as_a_whole():
    source = open_source(ROOMS)
    single, whole = source._examples(np.array([40])), stack(source)
    assert whole["video"].shape == (200, 10, 24, 24, 3) and whole["video"].dtype == np.uint8
    assert whole["actions"].shape == (200, 9, 2) and whole["actions"].dtype == np.float32
    for name, array in single.items():
        np.testing.assert_array_equal(array[0], whole[name][40])
    again = stack(pickle.loads(pickle.dumps(source)), [3])
    np.testing.assert_array_equal(again["video"][0], whole["video"][3])
    test = stack(open_source(ROOMS, "test"))
    assert len(test["actions"]) == 40
    assert not {x.tobytes() for x in test["actions"]} & {x.tobytes() for x in whole["actions"]}


def test_clips_never_change():
    """Numbers published for this data set hold only while the clips stay; otherwise raise _VERSION."""
    clip = open_source("synthetic_rooms:num_examples=20,image_size=28")[13]["video"].astype(int)
    assert abs(clip[10, 10::4, 10::4, 0] - FROZEN).max() <= 1


def test_actions_move_the_dot_and_walls_stop_it():
    clips = stack(open_source(ROOMS))
    at = seen(clips["video"])
    moved, told = np.diff(at, axis=1), rooms.SPEED * clips["actions"]
    free = np.abs(moved - told).max(-1) < 0.01
    assert 0.5 < free.mean() < 0.95  # the others were stopped
    # Whoever was stopped went no further than told, and no other way.
    assert (np.abs(moved) < np.abs(told) + 0.01).all()
    assert (moved * np.sign(told) > -0.01).all()
    # Nobody is in a wall.
    edge = rooms.WALL + rooms.RADIUS - 0.01
    assert (edge < at).all() and (at < 1 - edge).all()
    assert set(np.unique((at[..., 0] > 0.5).sum(1))) >= {0, 10}  # some stay in either room
    crossed = (np.diff(at[..., 0] > 0.5, axis=1) != 0).any(1)
    assert 0.05 < crossed.mean() < 0.6  # and some go through the door


def test_the_wall_is_passed_through_the_door_alone():
    rng = np.random.default_rng(0)
    position, door = rooms.places(rng.random((500, 3)), 3)
    assert len(set(door)) == 3
    for _ in range(40):
        before = position
        position = rooms.move(position, 2 * rng.normal(size=(500, 2)), door)
        assert (np.linalg.norm(position - before, axis=1) < rooms.SPEED + 1e-9).all()
        passing = abs(position[:, 0] - 0.5) < rooms.WALL + rooms.RADIUS - 1e-9
        assert passing.any() and (abs(position - door[:, None])[passing, 1] < rooms.DOOR - rooms.RADIUS + 1e-9).all()
        changed = (position[:, 0] < 0.5) != (before[:, 0] < 0.5)
        assert (abs(before - door[:, None])[changed, 1] < rooms.DOOR).all()


@pytest.mark.parametrize("options", ["frames=1", "image_size=11", "doors=0", "num_examples=0"])
def test_bad_options_are_one_line(options):
    with pytest.raises(ValueError, match=options):
        open_source(f"synthetic_rooms:{options}")
