"""The raw input of clips: their mean frame, and how frames differ."""

import numpy as np
import pytest

from jssl.data import ArraySource, open_source, stack
from jssl.evaluation import baselines

OPTIONS = "synthetic_clips:num_examples=60,frames=5,image_size=16"


def test_the_mean_frame_and_the_differences_count_alike():
    train, test = (open_source(OPTIONS, split) for split in ("train", "test"))
    x, y = baselines.raw(train, test)
    video = stack(train)["video"].astype(np.float64)[:, :, :, :] / 255
    small = video.reshape(60, 5, 8, 2, 8, 2, 3).mean((3, 5))
    x8, y8 = baselines.frames(train, test, size=8)
    assert (
        x8.shape == (60, 8 * 8 * 3 + 4 * 8 * 8) and y8.shape == (12, x8.shape[1]) and x.shape == (60, 4 * x8.shape[1])
    )
    parts = small.mean(1).reshape(60, -1), np.diff(small.mean(-1), axis=1).reshape(60, -1)
    for part, found in zip(parts, (x8[:, :192], x8[:, 192:])):
        part = part - part.mean(0)
        np.testing.assert_allclose(found, part / np.sqrt((part**2).sum(1).mean()), atol=1e-4)
    assert abs((x8**2).sum(1).mean() - 2) < 1e-4


def test_clips_that_stand_still_have_no_differences():
    still = ArraySource({"video": np.repeat(stack(open_source(OPTIONS))["video"][:, :1], 3, 1)})
    features = baselines.frames(still, still)[0]
    assert np.isfinite(features).all() and (features[:, -2 * 16 * 16 :] == 0).all()


def test_clips_of_two_sizes_are_refused():
    sizes = [ArraySource({"video": np.zeros((2, frames, 8, 8, 3), np.uint8)}) for frames in (2, 3)]
    with pytest.raises(ValueError, match="clips of one size"):
        baselines.frames(*sizes)
