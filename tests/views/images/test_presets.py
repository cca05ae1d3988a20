"""The papers' recipes: their numbers, their order, their determinism, on one device or several."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jssl import views

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
# One per path through the code; the others differ in numbers only, which are tested below.
PRESETS = {
    "simclr": views.simclr(32, blur=False),
    "byol": views.byol(24, 1),
    "mae": views.mae(32),
    "eval": views.eval_view(24),
}


@functools.partial(jax.jit, static_argnums=0)
def batch(preset, keys, images):
    return jax.vmap(preset)(keys, images)


@pytest.mark.parametrize("name", PRESETS)
def test_preset(name):
    preset, keys, images = PRESETS[name], jax.random.split(jax.random.key(1), 6), jnp.asarray(PIXELS)
    out = batch(preset, keys, images)
    assert out.shape == (6, preset.size, preset.size, 3) and out.dtype == jnp.float32
    pixels = np.asarray(out) * np.array(views.IMAGENET_STD, np.float32) + np.array(views.IMAGENET_MEAN, np.float32)
    assert pixels.min() > -1e-5 and pixels.max() < 1 + 1e-5 and pixels.std() > 0.02
    np.testing.assert_array_equal(batch(preset, keys, images), out)
    other = batch(preset, jax.random.split(jax.random.key(2), 6), images)
    assert (np.abs(other - out).max(axis=(1, 2, 3)) > 1e-3).all() == (name != "eval")


def test_floats_and_bytes_are_one_input():
    keys, images = jax.random.split(jax.random.key(1), 6), jnp.asarray(PIXELS)
    for name in ("mae", "eval"):
        as_float = batch(PRESETS[name], keys, views.to_float(images))
        np.testing.assert_allclose(as_float, batch(PRESETS[name], keys, images), atol=1e-5)


@pytest.mark.slow
def test_sharded_draws_are_those_of_one_device():
    preset, keys, images = (
        PRESETS["byol"],
        jax.random.split(jax.random.key(1), 8),
        jnp.asarray(PIXELS[[0, 1, 2, 3] * 2]),
    )
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,), devices=jax.devices()[:4])
    sharded = jax.jit(
        jax.shard_map(jax.vmap(preset), mesh=mesh, in_specs=(P("data"), P("data")), out_specs=P("data"), check_vma=True)
    )
    np.testing.assert_allclose(sharded(keys, images), batch(preset, keys, images), atol=1e-5)


def test_numbers_of_the_papers():
    strengths = lambda a: (a.brightness, a.contrast, a.saturation, a.hue)  # noqa: E731
    simclr, half = views.simclr(224), views.simclr(32, strength=0.5, blur=False)
    assert strengths(simclr) == (0.8, 0.8, 0.8, 0.2) and strengths(half) == (0.4, 0.4, 0.4, 0.1)
    assert (simclr.crop_scale, simclr.jitter_prob, simclr.gray_prob, simclr.blur_prob) == ((0.08, 1.0), 0.8, 0.2, 0.5)
    assert half.blur_prob == 0.0
    moco = views.moco_v2(224)
    assert strengths(moco) == (0.4, 0.4, 0.4, 0.1) and moco.crop_scale == (0.2, 1.0)
    first, second = views.byol(224, 0), views.byol(224, 1)
    assert strengths(first) == strengths(second) == (0.4, 0.4, 0.2, 0.1)
    assert (first.blur_prob, first.solarize_prob, second.blur_prob, second.solarize_prob) == (1.0, 0.0, 0.1, 0.2)
    assert views.dino_global(224, 0).crop_scale == (0.4, 1.0) and views.dino_global(224, 1).solarize_prob == 0.2
    local = views.dino_local(96)
    assert (local.crop_scale, local.blur_prob, local.solarize_prob) == ((0.05, 0.4), 0.5, 0.0)
    mae = views.mae(224)
    assert (mae.crop_scale, mae.interpolation, mae.flip_prob) == ((0.2, 1.0), "bicubic", 0.5)
    assert mae.jitter_prob == mae.gray_prob == mae.blur_prob == mae.solarize_prob == 0.0
    assert views.mae(224, crop_scale=(0.3, 1.0), flip_prob=0.0).crop_scale == (0.3, 1.0)
    for preset in (simclr, moco, first, second, local):
        assert preset.blur_sigma == (0.1, 2.0) and preset.flip_prob == 0.5 and preset.crop_ratio == (3 / 4, 4 / 3)
    with pytest.raises(ValueError, match="which=2"):
        views.byol(32, 2)
    with pytest.raises(TypeError, match="crop_scal"):
        views.simclr(32, crop_scal=(0.1, 1.0))


def test_no_blur_for_small_images():
    for make in (
        views.simclr,
        views.moco_v2,
        functools.partial(views.byol, which=0),
        views.dino_global,
        views.dino_local,
    ):
        assert make(32, blur=False).blur_prob == 0.0


def test_operations_come_in_the_documented_order():
    """Everything certain: mirrored, blurred with a kernel of a tenth, grey, then solarised, then normalised."""
    preset = views.Augmentation(
        size=40,
        crop_scale=(1.0, 1.0),
        crop_ratio=(1.0, 1.0),
        flip_prob=1.0,
        gray_prob=1.0,
        blur_prob=1.0,
        blur_sigma=(1.0, 1.0),
        solarize_prob=1.0,
        mean=(0.5, 0.25, 0.0),
        std=(0.5, 1.0, 2.0),
    )
    image = np.random.default_rng(1).uniform(0, 1, (40, 40, 3))
    expected = image[:, ::-1] @ np.array([0.2989, 0.587, 0.114])
    taps = np.exp(-0.5 * np.arange(-2, 3) ** 2.0)
    for axis in (0, 1):
        padded = np.pad(expected, [(2, 2) if a == axis else (0, 0) for a in (0, 1)], mode="reflect")
        expected = sum(t / taps.sum() * np.take(padded, np.arange(40) + i, axis=axis) for i, t in enumerate(taps))
    sure = np.abs(expected - 0.5) > 1e-5
    expected = np.where(expected >= 0.5, 1 - expected, expected)
    expected = (expected[..., None] - np.array([0.5, 0.25, 0.0])) / np.array([0.5, 1.0, 2.0])
    out = np.asarray(jax.jit(preset)(jax.random.key(0), jnp.asarray(image, jnp.float32)))
    np.testing.assert_allclose(out[sure], expected[sure], atol=5e-6)


def test_jitter_comes_before_grey():
    preset = views.Augmentation(size=8, saturation=0.9, jitter_prob=1.0, gray_prob=1.0)
    out = np.asarray(
        jax.jit(jax.vmap(preset.pixels))(jax.random.split(jax.random.key(0), 6), jnp.asarray(PIXELS[:, :8, :8]))
    )
    np.testing.assert_allclose(out[..., :2], out[..., 1:], atol=1e-6)


def test_eval_view_is_deterministic_and_exact_at_native_size():
    image = jnp.asarray(PIXELS[0])
    view = views.eval_view(32, mean=(0.5,) * 3, std=(0.25,) * 3)
    np.testing.assert_allclose(view(None, image), (PIXELS[0] / 255.0 - 0.5) / 0.25, atol=1e-6)
    np.testing.assert_array_equal(view(jax.random.key(0), image), view(jax.random.key(1), image))
