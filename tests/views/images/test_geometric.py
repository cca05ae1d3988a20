"""Crops, resizing and flips against PIL, float64 formulas written here, and the distributions they promise."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from samples import SMALL, keys
from scipy import stats

from jssl import views

RNG = np.random.default_rng(1)
PIL_FILTER = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def pil_resize(image, size, interpolation, box=None):
    """PIL on 32-bit float channels: the reference of antialiased resampling."""
    planes = [
        Image.fromarray(np.ascontiguousarray(image[..., c])).resize((size, size), PIL_FILTER[interpolation], box=box)
        for c in range(3)
    ]
    return np.clip(np.stack([np.asarray(plane) for plane in planes], axis=-1), 0, 1)


# One compilation per size and kernel: the box is traced.
resize_crop = jax.jit(views.resize_crop, static_argnames=("size", "interpolation", "inside"))
BOXES = [(0, 0, 20, 28), (3, 5, 13, 11), (2, 4, 5, 17), (19, 27, 1, 1)]  # down, about equal, mixed, one pixel


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("box", BOXES)
def test_resize_crop_is_pil_crop_then_resize(box, interpolation):
    image = RNG.uniform(0, 1, (20, 28, 3)).astype(np.float32)
    top, left, height, width = box
    out = resize_crop(jnp.asarray(image), box, size=12, interpolation=interpolation)
    expected = pil_resize(image[top : top + height, left : left + width], 12, interpolation)
    assert out.shape == (12, 12, 3) and out.dtype == jnp.float32
    np.testing.assert_allclose(out, expected, atol=3e-6)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("box", [*BOXES[:3], (2.25, 4.5, 9.5, 20.75)])
def test_resize_crop_outside_is_pil_resize_box(box, interpolation):
    image = RNG.uniform(0, 1, (20, 28, 3)).astype(np.float32)
    top, left, height, width = box
    out = resize_crop(jnp.asarray(image), box, size=9, interpolation=interpolation, inside=False)
    expected = pil_resize(image, 9, interpolation, box=(left, top, left + width, top + height))
    np.testing.assert_allclose(out, expected, atol=3e-6)


def test_resize_crop_flip_is_the_mirrored_result():
    image, box = jnp.asarray(RNG.uniform(0, 1, (9, 11, 3)), jnp.float32), (1, 2, 7, 6)
    plain, flipped = (resize_crop(image, box, size=5, flip=flip) for flip in (False, True))
    np.testing.assert_array_equal(flipped, plain[:, ::-1])


def test_full_size_crop_returns_every_8_bit_pixel_exactly():
    pixels = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    out = views.resize_crop(views.to_float(jnp.asarray(pixels)), (0, 0, 16, 16), size=16)
    np.testing.assert_array_equal(np.round(np.asarray(out) * 255), pixels)
    np.testing.assert_allclose(out, pixels / 255.0, atol=1e-7)


def test_center_crop_is_resize_then_crop():
    image = RNG.uniform(0, 1, (64, 96, 3)).astype(np.float32)
    out = jax.jit(functools.partial(views.center_crop, size=28, fraction=28 / 32))(jnp.asarray(image))
    # The two-step form: shorter side to 32 (64 x 96 -> 32 x 48), then the central 28 x 28.
    whole = np.stack(
        [np.asarray(Image.fromarray(image[..., c]).resize((48, 32), Image.Resampling.BILINEAR)) for c in range(3)], -1
    )
    np.testing.assert_allclose(out, whole[2:30, 10:38], atol=3e-6)


def test_center_crop_at_native_size_changes_nothing():
    image = jnp.asarray(SMALL[:4])
    np.testing.assert_array_equal(views.center_crop(image, size=4), image)


def reference_box(rng, height, width, scale, ratio):
    """torchvision's loop: ten attempts, then the centre."""
    for _ in range(10):
        area = height * width * rng.uniform(*scale)
        aspect = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return rng.integers(0, height - h + 1), rng.integers(0, width - w + 1), h, w
    if width / height < ratio[0]:
        w, h = width, round(width / ratio[0])
    elif width / height > ratio[1]:
        w, h = round(height * ratio[1]), height
    else:
        w, h = width, height
    return (height - h) // 2, (width - w) // 2, h, w


@pytest.mark.parametrize(
    "height, width, scale, ratio",
    [
        (32, 32, (0.08, 1.0), (3 / 4, 4 / 3)),
        (40, 20, (0.5, 1.0), (3 / 4, 4 / 3)),  # tall: most attempts fail, the fallback is common
        (24, 36, (0.05, 0.4), (0.5, 2.0)),
    ],
)
def test_random_box_has_torchvisions_distribution(height, width, scale, ratio):
    count = 6000
    draw = jax.jit(jax.vmap(lambda key: jnp.stack(views.random_box(key, height, width, scale=scale, ratio=ratio))))
    boxes = np.asarray(draw(keys(count)), np.float64)
    top, left, h, w = boxes.T
    assert (boxes == np.round(boxes)).all() and (top >= 0).all() and (left >= 0).all()
    assert (h >= 1).all() and (w >= 1).all() and (top + h <= height).all() and (left + w <= width).all()
    rng = np.random.default_rng(1)
    expected = np.array([reference_box(rng, height, width, scale, ratio) for _ in range(count)])
    for ours, theirs in zip(
        [*boxes.T, h * w, h / w], [*expected.T, expected[:, 2] * expected[:, 3], expected[:, 2] / expected[:, 3]]
    ):
        assert stats.ks_2samp(ours, theirs, method="asymp").pvalue > 1e-3


def test_random_box_position_is_uniform_up_to_both_ends():
    draw = jax.jit(jax.vmap(lambda key: jnp.stack(views.random_box(key, 8, 8, scale=(0.25, 0.25), ratio=(1.0, 1.0)))))
    top, left, h, w = np.asarray(draw(keys(5000))).T
    assert set(h) == set(w) == {4.0}
    counts = np.histogram2d(top, left, bins=[np.arange(-0.5, 5), np.arange(-0.5, 5)])[0]
    assert counts.sum() == 5000  # 5 x 5 places
    assert stats.chisquare(counts.ravel()).pvalue > 1e-3


@pytest.mark.parametrize(
    "height, width, ratio, box",
    [
        (4, 40, (3 / 4, 4 / 3), (0, 17, 4, 5)),  # too wide: full height, the widest ratio
        (40, 4, (3 / 4, 4 / 3), (17, 0, 5, 4)),  # too tall
        (30, 30, (1.5, 2.0), (5, 0, 20, 30)),  # the whole area never fits at these ratios
        (30, 30, (0.5, 0.75), (0, 4, 30, 22)),
    ],
)
def test_random_box_falls_back_on_the_centre(height, width, ratio, box):
    draw = functools.partial(views.random_box, height=height, width=width, scale=(1.0, 1.0), ratio=ratio)
    got = jax.jit(draw)(jax.random.key(0))
    assert [float(value) for value in got] == list(box)


def test_random_resized_crop_flips_half_and_keeps_constants():
    ramp = jnp.broadcast_to(jnp.linspace(0.0, 1.0, 16, dtype=jnp.float32)[None, :, None], (16, 16, 3))
    crop = functools.partial(views.random_resized_crop, size=8, scale=(0.2, 1.0))
    out = jax.jit(jax.vmap(lambda key: crop(key, ramp, flip_prob=0.5)))(keys(2000))
    flipped = np.asarray(out[:, 0, 0, 0] > out[:, 0, -1, 0])
    assert abs(flipped.mean() - 0.5) < 4 * math.sqrt(0.25 / 2000)
    # The box does not depend on whether the crop is flipped.
    plain = jax.jit(jax.vmap(lambda key: crop(key, ramp)))(keys(2000))
    np.testing.assert_allclose(jnp.where(flipped[:, None, None, None], out[:, :, ::-1], out), plain, atol=1e-6)
    constant = jax.jit(crop)(jax.random.key(0), jnp.full((16, 16, 3), 0.3))
    np.testing.assert_allclose(constant, 0.3, atol=1e-6)
