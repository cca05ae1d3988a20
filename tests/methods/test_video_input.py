import jax
import numpy as np
import pytest

from jssl import data, views
from jssl.methods.options import Given, VideoInput

SPEC = {"video": jax.ShapeDtypeStruct((6, 16, 16, 3), np.uint8)}
VIDEO = np.random.default_rng(0).integers(0, 255, (6, 16, 16, 3), dtype=np.uint8)


def test_both_views_have_one_shape_and_one_normalisation():
    given = Given(SPEC, data.About(mean=(0.5,) * 3, std=(0.25,) * 3))
    video = VideoInput(frames=2, stride=3, size=8)
    prepare, view = video.prepare(given), video.view(given, views.mae, crop_scale=(1.0, 1.0), flip_prob=0.0)
    key, example = jax.random.key(0), {"video": VIDEO}
    read, seen, pixels = jax.jit(lambda: (prepare(example), view(key, example), view.pixels(key, example)))()
    assert read.shape == seen.shape == jax.eval_shape(lambda: prepare.augment(key, example)).shape == (2, 8, 8, 3)
    halves = VIDEO.reshape(6, 8, 2, 8, 2, 3).mean((2, 4)) / 255  # what any resize comes near
    for clip in (read, seen):
        errors = [np.abs(clip * 0.25 + 0.5 - halves[[start, start + 3]]).mean() for start in range(3)]
        assert min(errors) < 0.06 < sorted(errors)[1]
        assert clip is seen or np.argmin(errors) == 1  # the middle
    np.testing.assert_allclose(view.normalize(pixels), seen, rtol=1e-6)


def test_what_lies_between_frames_goes_with_them():
    view = VideoInput(frames=3, size=16).view(
        Given(SPEC, data.About(mean=(0.0,) * 3, std=(1.0,) * 3)),
        views.mae,
        crop_scale=(1.0, 1.0),
        crop_ratio=(1.0, 1.0),
    )
    numbered = {"video": np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1) * np.ones((1, 16, 16, 3), np.uint8)}
    keys = jax.random.split(jax.random.key(0), 12)
    first, steps = jax.jit(jax.vmap(lambda key: (view(key, numbered)[0, 8, 8, 0], view.between(key, np.arange(5)))))(
        keys
    )
    starts = np.round(255 * np.asarray(first)).astype(int)
    assert len(set(starts)) > 1
    np.testing.assert_array_equal(steps, starts[:, None] + np.arange(2))
    assert view.between(None, np.arange(5)).tolist() == [1, 2]  # frames 1, 2 and 3 are the middle
    with pytest.raises(ValueError, match="frames are 2 apart"):
        VideoInput(frames=3, size=16, stride=2).view(Given(SPEC), views.mae).between(None, np.arange(5))


def test_options_say_video_where_they_are_wrong():
    given = Given(SPEC)
    for video, told in (
        (VideoInput(frames=4, stride=2, size=8), "clips of 6 frames are shorter than the 7"),
        (VideoInput(frames=2, size=32), "lower method.video.size"),
        (VideoInput(frames=0, size=8), "method.video.frames=0"),
        (VideoInput(frames=2, size=8, augment={"blurr": 1.0}), "method.video.augment has no option 'blurr'"),
        (VideoInput(frames=2, size=8, augment={"mean": 0.5}), "set method.video.mean"),
        (VideoInput(frames=2, size=8, mean=(0.5,)), "method.video.mean=.*3 channels"),
    ):
        with pytest.raises(ValueError, match=told):
            video.view(given, views.mae)
    with pytest.raises(ValueError, match="clips of 6 frames"):
        VideoInput(frames=7, size=8).prepare(given)
