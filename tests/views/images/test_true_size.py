"""Pictures of any size on one canvas: crops and the evaluation view are those of the pictures as they were."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from samples import keys

from jssl import views

CANVAS = 64
SIZES = [(40, 70), (64, 48), (33, 90), (100, 30)]
SCALE = (0.2, 1.0)


def waves(height, width, seed=0):
    """(H, W, 3) float32 in [0, 1]: plane waves at least 25 pixels long, which squashing to the canvas keeps."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.arange(height) + 0.5, np.arange(width) + 0.5, indexing="ij")
    image = np.zeros((height, width, 3))
    for _ in range(4):
        angle, phase, length = rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * np.pi, 3), rng.uniform(25, 60)
        along = (np.cos(angle) * x + np.sin(angle) * y) * 2 * np.pi / length
        image += np.cos(along[..., None] + phase)
    return (0.5 + 0.5 * image / np.abs(image).max()).astype(np.float32)


def squash(image, canvas=CANVAS):
    planes = [Image.fromarray(np.ascontiguousarray(image[..., c])) for c in range(image.shape[-1])]
    planes = [np.asarray(plane.resize((canvas, canvas), Image.Resampling.BILINEAR)) for plane in planes]
    return np.clip(np.stack(planes, axis=-1), 0, 1)


PICTURES = [waves(*size, seed=i) for i, size in enumerate(SIZES)]
SQUASHED = np.stack([squash(picture) for picture in PICTURES])
TRUE = np.array(SIZES, np.int32)
RNG = np.random.default_rng(7)


def test_box_is_that_of_the_original_for_the_same_key():
    """The picture holds the coordinates of its pixels, so that a crop tells where it was cut."""
    y, x = np.meshgrid((np.arange(CANVAS) + 0.5) / CANVAS, (np.arange(CANVAS) + 0.5) / CANVAS, indexing="ij")
    where = jnp.asarray(np.stack([y, x, 0 * x], axis=-1), jnp.float32)
    # Never smaller than the box on the canvas: interpolation keeps lines straight, but for half a pixel at the edges.
    cut = functools.partial(views.random_resized_crop, size=CANVAS, scale=SCALE)
    crop = jax.jit(jax.vmap(lambda key, true: cut(key, where, true_size=true), in_axes=(0, None)))
    draw = functools.partial(views.random_box, scale=SCALE, ratio=(3 / 4, 4 / 3))
    for height, width in SIZES:
        boxes = jax.jit(jax.vmap(lambda key, h=height, w=width: jnp.stack(draw(key, h, w))))(keys(100))
        top, left, box_height, box_width = np.asarray(boxes).T
        out = np.asarray(crop(keys(100), jnp.array([height, width], jnp.int32)), np.float64)
        for start, length, line, full in (
            (top, box_height, out[:, :, 32, 0], height),
            (left, box_width, out[:, 32, :, 1], width),
        ):
            np.testing.assert_allclose((line[:, 47] - line[:, 16]) / 31 * CANVAS * full, length, atol=0.01)
            np.testing.assert_allclose((line[:, 16] + line[:, 47]) / 2 * full, start + length / 2, atol=0.01)


def test_random_box_is_the_same_for_traced_sides():
    box = functools.partial(views.random_box, scale=(0.5, 1.0), ratio=(3 / 4, 4 / 3))
    many = jax.jit(jax.vmap(box, in_axes=(0, None, None)))
    for height, width in [(33, 90), (4, 40), (40, 4)]:  # the last two always fall back on the centre
        static = jax.jit(jax.vmap(lambda key, h=height, w=width: box(key, h, w)))(keys(200))
        np.testing.assert_array_equal(static, many(keys(200), jnp.int32(height), jnp.int32(width)))


def test_box_has_a_pixel_along_each_side():
    box = jax.jit(lambda key: views.random_box(key, 100, 1, scale=(1.0, 1.0), ratio=(3.0, 4.0)))(jax.random.key(0))
    assert [float(value) for value in box] == [49.0, 0.0, 1.0, 1.0]


# Half a grey level of 255. Resampling twice costs up to 0.0018 here; a box that is one pixel of the crop off costs 0.015
# to 0.035, and one drawn on the canvas without the true size 0.07 to 0.16.
BOUND = 0.002


@pytest.mark.parametrize(
    "augment",
    [
        pytest.param(views.mae(24), id="cubic", marks=pytest.mark.slow),
        pytest.param(views.moco_v2(24, blur=False, jitter_prob=0.0), id="linear"),
    ],
)
def test_crops_from_the_canvas_are_crops_of_the_originals(augment):
    many = jax.jit(jax.vmap(jax.vmap(augment.pixels, in_axes=(0, None, None)), in_axes=(None, 0, 0)))
    ours = np.asarray(many(keys(50), SQUASHED, TRUE))
    without = np.asarray(many(keys(50), SQUASHED, np.full_like(TRUE, CANVAS)))
    for i, picture in enumerate(PICTURES):
        original = np.asarray(jax.jit(jax.vmap(augment.pixels, in_axes=(0, None)))(keys(50), picture))
        assert np.abs(ours[i] - original).mean(axis=(1, 2, 3)).max() < BOUND  # of every single crop
        for shift in ((0, 1), (1, 0)):  # the bound sees an offset of a fraction of a pixel
            assert np.abs(np.roll(original, shift, axis=(1, 2)) - original)[:, 1:, 1:].mean() > 7 * BOUND
        # Without the true size it is another box of another aspect.
        assert np.abs(without[i] - original).mean() > 30 * BOUND


def test_areas_and_aspects_are_those_of_the_original():
    """A square of the picture as it was, not of the canvas."""
    augment = views.Augmentation(size=8, crop_scale=(0.3, 0.3), crop_ratio=(1.0, 1.0), flip_prob=0.0)
    y = np.linspace(0, 1, CANVAS, dtype=np.float32)
    ramp = jnp.asarray(np.broadcast_to(y[:, None, None], (CANVAS, CANVAS, 3)))
    out = jax.jit(jax.vmap(augment.pixels, in_axes=(0, None, None)))(keys(20), ramp, jnp.array([30, 100]))
    # 0.3 x 3,000 = 900 pixels: the whole height of the original, where a square of the canvas would have 35 of 64 rows.
    np.testing.assert_allclose(out[:, 0, 0, 0], 1 / 16, atol=0.02)
    np.testing.assert_allclose(out[:, -1, 0, 0], 15 / 16, atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("fraction", [1.0, 0.875])
def test_eval_view_of_the_canvas_is_that_of_the_original(fraction):
    view = views.eval_view(24, fraction=fraction)
    ours = np.asarray(jax.jit(jax.vmap(view.pixels, in_axes=(None, 0, 0)))(None, SQUASHED, TRUE))
    without = np.asarray(jax.jit(jax.vmap(view.pixels, in_axes=(None, 0)))(None, SQUASHED))
    for i, picture in enumerate(PICTURES):
        original = view.pixels(None, jnp.asarray(picture))
        assert np.abs(ours[i] - original).mean() < BOUND
        assert np.abs(without[i] - original).mean() > 20 * BOUND


def spread(disc):
    """Standard deviations along both axes of a bright disc on black."""
    weight = np.asarray(disc, np.float64)[..., 0]
    at = np.arange(len(weight)) + 0.5
    moments = [np.average(at**p, weights=weight.sum(axis=axis)) for axis in (1, 0) for p in (1, 2)]
    return np.sqrt(moments[1] - moments[0] ** 2), np.sqrt(moments[3] - moments[2] ** 2)


@pytest.mark.parametrize("height, width", SIZES)
def test_a_circle_is_still_a_circle(height, width):
    y, x = np.meshgrid(np.arange(height) + 0.5 - height / 2, np.arange(width) + 0.5 - width / 2, indexing="ij")
    shorter, radius = min(height, width), 0.3 * min(height, width)
    disc = np.clip(radius - np.hypot(y, x) + 0.5, 0, 1)[..., None].repeat(3, axis=-1).astype(np.float32)
    canvas, view = jnp.asarray(squash(disc)), views.eval_view(48)
    down, right = spread(view.pixels(None, canvas, jnp.array([height, width])))
    assert abs(down / right - 1) < 0.03
    # The deviation of a disc along an axis is half its radius; resampling blurs it a little.
    np.testing.assert_allclose([down, right], 0.5 * radius * 48 / shorter, rtol=0.05)
    down, right = spread(view.pixels(None, canvas))
    assert abs(np.log(down / right)) > 0.25


@pytest.mark.slow
def test_a_canvas_of_the_true_size_changes_no_bit():
    image, true = jnp.asarray(RNG.integers(0, 256, (40, 70, 3), dtype=np.uint8)), jnp.array([40, 70], jnp.int32)
    apply = jax.jit(jax.vmap(views.byol(24, 1), in_axes=(0, None, None)))
    np.testing.assert_array_equal(apply(keys(20), image, true), apply(keys(20), image, None))
    # Operation by operation: a compiler that knows the box beforehand folds the weights with roundings of its own.
    view, compiled = views.eval_view(64), jax.jit(views.eval_view(64))
    np.testing.assert_array_equal(view(None, image, true), view(None, image))
    np.testing.assert_allclose(compiled(None, image, true), compiled(None, image), atol=2e-5)
    native = views.eval_view(40)  # without the size it returns the image as it is
    np.testing.assert_array_equal(native(None, image[:, :40], true.at[1].set(40)), native(None, image[:, :40]))


@pytest.mark.slow
def test_multi_crop_passes_the_size_on():
    plain = dict(flip_prob=0.5, interpolation="bilinear", mean=(0.0,) * 3, std=(1.0,) * 3)
    crops_of = functools.partial(
        views.multi_crop,
        global_augmentations=(views.mae(16, **plain), views.mae(16, **plain)),
        local_augmentation=views.mae(8, crop_scale=(0.1, 0.4), **plain),
        num_local=3,
    )
    crops = jax.jit(lambda key, image, size=None: crops_of(key, image, size=size))
    key, image, true = jax.random.key(0), jnp.asarray(SQUASHED[2]), jnp.asarray(TRUE[2])
    out, original, without = crops(key, image, true), crops(key, PICTURES[2]), crops(key, image)
    for name in ("global", "local"):
        for i in range(len(out[name])):
            assert np.abs(out[name][i] - original[name][i]).mean() < 2 * BOUND
            assert np.abs(without[name][i] - original[name][i]).mean() > 20 * BOUND


def test_boxes_below_a_pixel_of_the_canvas_are_finite():
    """A small crop of a large photograph may lie between the centres of two pixels of the canvas."""
    image = jnp.asarray(squash(PICTURES[0], 16))
    crop = functools.partial(views.random_resized_crop, size=8, scale=(1e-4, 1e-3), true_size=jnp.array([3000, 4000]))
    for interpolation in ("bilinear", "bicubic"):
        out = jax.jit(jax.vmap(functools.partial(crop, image=image, interpolation=interpolation)))(keys(200))
        assert np.isfinite(out).all() and out.min() >= image.min() - 0.01 and out.max() <= image.max() + 0.01


def test_edges_of_a_box_count_by_their_part_within_it():
    """A pixel of which the box holds nearly nothing changes nearly nothing."""
    image = jnp.asarray(RNG.uniform(0, 1, (20, 20, 3)), jnp.float32)
    for size in (4, 12):
        whole = views.resize_crop(image, (3, 5, 8, 9), size=size)
        wider = views.resize_crop(image, (3 - 1e-4, 5 - 1e-4, 8 + 2e-4, 9 + 2e-4), size=size)
        np.testing.assert_allclose(wider, whole, atol=1e-3)


def test_a_picture_smaller_than_the_crop_is_enlarged():
    small = jnp.asarray(squash(waves(6, 9), 12))
    for view in (views.mae(32), views.eval_view(32)):
        out = jax.jit(view)(jax.random.key(0), small, jnp.array([6, 9]))
        assert out.shape == (32, 32, 3) and np.isfinite(out).all()


def test_the_size_of_a_batch_is_refused():
    with pytest.raises(ValueError, match=r"true size has shape \(4, 2\)"):
        views.eval_view(24)(None, jnp.asarray(SQUASHED[0]), jnp.asarray(TRUE))
