import pickle

import numpy as np
import pytest

from jssl.data import open_source, stack
from jssl.data.synthetic.clips import CLASSES

FROZEN = [[122, 113, 133, 135], [177, 252, 125, 177], [193, 217, 157, 183], [181, 12, 140, 166]]

HEARD = [-497, -994, -1525, -1242]


def test_deterministic_in_parts_and_as_a_whole():
    source = open_source("synthetic_clips:num_examples=70,frames=5,image_size=16,flow=1")
    single = source._examples(np.array([40]))
    clips = stack(source)
    assert clips["video"].shape == (70, 5, 16, 16, 3) and clips["video"].dtype == np.uint8
    for name, array in single.items():
        np.testing.assert_array_equal(array[0], clips[name][40])
    again = stack(pickle.loads(pickle.dumps(source)), [3])
    np.testing.assert_array_equal(again["video"][0], clips["video"][3])
    test = open_source("synthetic_clips:num_examples=70,frames=5,image_size=16,flow=1", "test")
    assert len(test) == 14 and not {x.tobytes() for x in stack(test)["video"]} & {x.tobytes() for x in clips["video"]}
    assert np.bincount(clips["label"]).tolist() == [12, 12, 12, 12, 11, 11] and len(source.about.class_names) == 6


def test_clips_never_change():
    """Numbers published for this data set hold only while the clips stay; otherwise raise _VERSION."""
    clip = open_source("synthetic_clips:num_examples=20")[13]["video"].astype(int)
    assert abs(clip[3, ::8, ::8, 0] - FROZEN).max() <= 1  # sin and cos may differ in the last bit between machines


def test_the_order_of_frames_is_the_class_and_their_mean_says_nothing():
    train, test = (
        stack(open_source("synthetic_clips:num_examples=1200,image_size=12,flow=1", split))
        for split in ("train", "test")
    )

    def accuracy(features):
        x, y = (features(part).reshape(len(part["label"]), -1).astype(np.float32) for part in (train, test))
        x, y = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (x - x.mean(0), y - x.mean(0)))
        votes = np.eye(6)[train["label"][np.argsort(-(y @ x.T), 1)[:, :20]]].sum(1)
        return np.mean(votes.argmax(1) == test["label"])

    def directions(part):
        """How much moves in each of eight directions, frame by frame."""
        angles = np.arange(8) * np.pi / 4
        along = np.einsum("nthwc,ck->nthwk", part["flow"], np.stack([np.cos(angles), np.sin(angles)]))
        return along.clip(0).sum((2, 3))

    chance, error = 1 / 6, np.sqrt(5 / 36 / 240)
    assert abs(accuracy(lambda part: part["video"].mean(1)) - chance) < 3 * error
    assert accuracy(directions) > 0.8


def test_the_flow_takes_each_frame_to_the_next():
    """Where nothing is covered or uncovered, and away from edges, the colour stays what it was."""
    source = open_source("synthetic_clips:num_examples=60,image_size=64,frames=4,flow=1", "train")
    moved = still = total = 0.0
    y, x = np.mgrid[:64, :64]
    for example in source:
        video, flow = example["video"].astype(float), example["flow"]
        assert flow.shape == (3, 64, 64, 2) and flow.dtype == np.float32
        for t in range(3):
            moving = np.hypot(*np.moveaxis(flow[t], -1, 0)) > 1
            to_x, to_y = (np.rint(at + part) for at, part in ((x, flow[t, ..., 0]), (y, flow[t, ..., 1])))
            moving &= (to_x >= 0) & (to_x < 64) & (to_y >= 0) & (to_y < 64)
            there = video[t + 1, to_y[moving].astype(int), to_x[moving].astype(int)]
            moved += np.abs(there - video[t][moving]).sum()
            still += np.abs(video[t + 1][moving] - video[t][moving]).sum()
            total += moving.sum() * 3
            standing = (flow[t] == 0).all(-1) & (flow[max(t - 1, 0)] == 0).all(-1)
            assert np.median(np.abs(video[t + 1] - video[t])[standing]) == 0
    assert moved / total < 12 < still / total / 2, (moved / total, still / total)


def test_sound_leaves_the_pictures_as_they_are_and_has_a_class_of_its_own():
    silent, source = (
        open_source(f"synthetic_clips:num_examples=40,image_size=16{more}") for more in ("", ",sound=8000")
    )
    examples, plain = stack(source), stack(silent)
    np.testing.assert_array_equal(examples["video"], plain["video"])
    assert examples["audio"].shape == (40, 8000) and examples["audio"].dtype == np.int16
    assert (examples["length"] == 8000).all() and source.about.sample_rate == 8000 and silent.about.sample_rate is None
    assert source.fingerprint != silent.fingerprint and set(examples["timbre"]) <= set(range(10))
    assert len(set(examples["timbre"])) > 6 and (source._examples(np.array([7]))["audio"] == examples["audio"][7]).all()
    assert abs(examples["audio"][13, 4000:4004].astype(int) - HEARD).max() <= 1


def test_each_copy_is_heard_at_its_height_in_every_frame():
    source = open_source("synthetic_clips:num_examples=120,image_size=8,frames=8,sound=8000")
    examples, index = stack(source), np.arange(120)
    y = source._factors(index, index % 6)["y"].reshape(120, 8, -1)
    count = source._factors(index, index % 6)["count"].reshape(120, 8)[:, 0]
    frequency = np.fft.rfftfreq(8000, 1 / 8000)
    circles = np.flatnonzero(examples["timbre"] == 0)  # pure tones
    assert len(circles) > 5

    def heard(row, heights):
        """The share of the power that is near the pitches of these heights, frame by frame."""
        shares = []
        for frame in range(8):
            part = examples["audio"][row, 1000 * frame : 1000 * (frame + 1)] * np.hanning(1000)
            power = np.abs(np.fft.rfft(part, 8000)) ** 2
            near = np.abs(frequency[:, None] - 110 * 4 ** heights[frame]) < 0.06 * 110 * 4 ** heights[frame]
            shares.append(power[near.any(1)].sum() / power[frequency < 600].sum())
        return np.mean(shares)

    own = np.array([heard(row, 1 - y[row, :, : count[row]]) for row in circles])
    other = np.array([heard(row, 1 - y[(row + 6) % 120, :, : count[row]]) for row in circles])
    backwards = np.array([heard(row, 1 - y[row, ::-1, : count[row]]) for row in circles])
    assert own.min() > 0.7 and other.mean() < 0.6 and backwards.mean() < own.mean() - 0.05, (own, other, backwards)


@pytest.mark.parametrize("options", ["frames=3", "image_size=7", "flow=2", "num_examples=0", "sound=1"])
def test_bad_options_are_one_line(options):
    with pytest.raises(ValueError, match=options):
        open_source(f"synthetic_clips:{options}")


def test_classes_are_motions_and_relations():
    assert CLASSES[:3] == ("through together", "through apart", "back together")
