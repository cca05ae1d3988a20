"""What is no picture, or has no colours, is refused in one line; any number of channels goes through the rest."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from samples import STRENGTH

from jssl import views

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
PERMUTATIONS = views.jigsaw_permutations(4, tiles=4)
GENERAL = {
    "resize_crop": lambda image: views.resize_crop(image, (0, 0, 4, 4), size=4),
    "center_crop": lambda image: views.center_crop(image, size=8),
    "random_resized_crop": lambda image: views.random_resized_crop(KEY, image, size=8),
    "horizontal_flip": functools.partial(views.horizontal_flip, KEY),
    "solarize": functools.partial(views.solarize, KEY),
    "gaussian_blur": lambda image: views.gaussian_blur(KEY, image, kernel_size=3),
    "rotation": functools.partial(views.rotation, KEY),
    "jigsaw": lambda image: views.jigsaw(KEY, image, grid=2, tile=4, permutations=PERMUTATIONS, gray_prob=0.0),
    "mask_patches": lambda image: views.mask_patches(KEY, image, patch=2, ratio=0.5),
    "salt_and_pepper": lambda image: views.salt_and_pepper(KEY, image, ratio=0.5),
    "gaussian_noise": lambda image: views.gaussian_noise(KEY, image, sigma=0.1),
    "augmentation": lambda image: views.mae(8, mean=(0.5,) * 4, std=(0.25,) * 4)(KEY, image),
    "eval_view": lambda image: views.eval_view(8, mean=(0.5,) * 4, std=(0.25,) * 4)(None, image),
}
COLORED = {
    "color_jitter": lambda image: views.color_jitter(KEY, image, **STRENGTH),
    "grayscale": lambda image: views.grayscale(KEY, image),
    "color_dropping": lambda image: views.color_dropping(KEY, image),
    "color_projection": views.color_projection,
    "rgb_to_lab": views.rgb_to_lab,
    "lab_to_rgb": views.lab_to_rgb,
    "relative_position": lambda image: views.relative_position(KEY, image, patch=2, gap=2, jitter=1),
}


def abstract(apply, *shape):
    return jax.eval_shape(apply, jax.ShapeDtypeStruct(shape, jnp.float32))


@pytest.mark.parametrize("name", [*GENERAL, "color_jitter", "grayscale", "color_dropping", "relative_position"])
def test_batches_planes_and_channels_first_are_refused(name):
    apply = {**GENERAL, **COLORED}[name]
    for shape in [(2, 12, 12, 3), (12, 12)]:
        with pytest.raises(ValueError, match=r"image has shape \(.*; pass one \(height, width, channels\)") as error:
            abstract(apply, *shape)
        assert str(shape) in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"shape \(3, 12, 12\), channels first; move them last"):
        abstract(apply, 3, 12, 12)


@pytest.mark.parametrize("name", GENERAL)
@pytest.mark.parametrize("channels", [1, 4])
def test_any_number_of_channels(name, channels):
    if name in ("augmentation", "eval_view") and channels == 1:
        with pytest.raises(ValueError, match="mean has 4 values and std 4 for an image with 1 channels"):
            abstract(GENERAL[name], 12, 12, channels)
    else:
        assert any(out.shape[-1:] == (channels,) for out in jax.tree.leaves(abstract(GENERAL[name], 12, 12, channels)))


@pytest.mark.parametrize("name", COLORED)
@pytest.mark.parametrize("channels", [1, 4])
def test_colours_need_three_channels(name, channels):
    wanted = rf"{name} needs red, green and blue along the last axis, got shape \(12, 12, {channels}\)"
    with pytest.raises(ValueError, match=wanted):
        abstract(COLORED[name], 12, 12, channels)


def test_views_that_need_colours_say_which_operation():
    with pytest.raises(ValueError, match="color_jitter needs red"):
        abstract(functools.partial(views.simclr(8), KEY), 12, 12, 1)
    with pytest.raises(ValueError, match="rgb_to_lab needs red"):
        abstract(lambda image: views.colorization(None, image, bins=views.ab_bins(), stride=4), 12, 12, 1)
    with pytest.raises(ValueError, match="grayscale needs red"):
        abstract(lambda image: views.jigsaw(KEY, image, grid=2, tile=4, permutations=PERMUTATIONS), 12, 12, 1)


def test_one_grey_channel_goes_as_three_do():
    """Each channel is treated alike, so a grey picture of one channel gives one of the three."""
    grey = jnp.asarray(RNG.integers(0, 256, (20, 30, 1), dtype=np.uint8))
    three = jnp.repeat(grey, 3, axis=-1)
    changes = dict(blur_prob=1.0, solarize_prob=0.5)
    for make in (functools.partial(views.mae, **changes), views.eval_view):
        one, all_three = (jax.jit(make(16, mean=(0.4,) * count, std=(0.3,) * count)) for count in (1, 3))
        np.testing.assert_allclose(one(KEY, grey), all_three(KEY, three)[..., :1], atol=2e-6)


@pytest.mark.parametrize("name", ["augmentation", "eval_view", "resize_crop", "solarize", "rgb_to_lab", "color_jitter"])
def test_pixels_of_0_to_255_as_floats_are_refused(name):
    apply = {**GENERAL, **COLORED}[name]
    bands = 4 if name in ("augmentation", "eval_view") else 3
    with pytest.raises(ValueError, match="image has float values from .* to 255; pass them in .0, 1., or as uint8"):
        apply(np.linspace(0, 255, 12 * 12 * bands, dtype=np.float32).reshape(12, 12, bands))
    with pytest.raises(ValueError, match="from -2 to 2;"):  # normalised before
        apply(np.linspace(-2, 2, 12 * 12 * bands, dtype=np.float32).reshape(12, 12, bands))


def test_what_is_no_array_is_refused():
    for apply in (views.mae(8), views.eval_view(8)):
        with pytest.raises(ValueError, match="image is a list; pass an array"):
            apply(KEY, [[[0.5, 0.5, 0.5]]])


def test_normalize_refuses_to_broadcast():
    with pytest.raises(ValueError, match="mean has 3 values and std 1 for an image with 3 channels"):
        views.normalize(jnp.zeros((2, 2, 3)), mean=(0.5,) * 3, std=(0.5,))
