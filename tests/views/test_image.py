"""Every image operation against a float64 formula written here, PIL, and the distributions it promises."""

import colorsys
import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy import stats

from jssl import views

RNG = np.random.default_rng(0)
PIL_FILTER = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
# Values at the ends make the order of clamped colour operations visible.
SMALL = np.clip(RNG.uniform(-0.3, 1.3, (5, 4, 3)), 0, 1).astype(np.float32)


def keys(count, seed=0):
    return jax.random.split(jax.random.key(seed), count)


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


# ----------------------------------------------------------------------------------------------------------- colour


def grey64(image):
    return image @ np.array([0.2989, 0.587, 0.114])


def hue64(image, shift):
    flat = [colorsys.rgb_to_hsv(*pixel) for pixel in image.reshape(-1, 3)]
    return np.array([colorsys.hsv_to_rgb((h + shift) % 1.0, s, v) for h, s, v in flat]).reshape(image.shape)


def blend64(image, other, factor):
    return np.clip(factor * image + (1 - factor) * other, 0, 1)


def jitter64(image, sequence, factors, shift):
    image = image.astype(np.float64)
    for name in sequence:
        if name == "hue":
            image = hue64(image, shift)
        elif name == "brightness":
            image = blend64(image, 0.0, factors[0])
        elif name == "contrast":
            image = blend64(image, grey64(image).mean(), factors[1])
        else:
            image = blend64(image, grey64(image)[..., None], factors[2])
    return image


STRENGTH = dict(brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2)


@functools.cache
def jittered(count=500):
    apply = jax.jit(jax.vmap(lambda key: views.color_jitter(key, jnp.asarray(SMALL), **STRENGTH)))
    draws = jax.jit(jax.vmap(lambda key: jax.random.uniform(key, (7,))))(keys(count))
    return np.asarray(apply(keys(count))), np.asarray(draws, np.float64)


def test_color_jitter_is_one_order_of_the_four_clamped_operations():
    """All 24 sequences of the reference are tried: one must fit every image, and each must be the only fit for some."""
    out, draws = jittered()
    assert out.dtype == np.float32 and out.min() >= 0 and out.max() <= 1
    sequences = list(itertools.permutations(["brightness", "contrast", "saturation", "hue"]))
    unique = np.zeros(24)
    for result, draw in zip(out, draws):
        factors, shift = 0.2 + 1.6 * draw[:3], 0.2 * (2 * draw[5] - 1)
        errors = [np.abs(jitter64(SMALL, sequence, factors, shift) - result).max() for sequence in sequences]
        assert min(errors) < 5e-6
        fits = np.array(errors) < 5e-6
        if fits.sum() == 1:  # orders without clamping in between give the same pixels
            unique += fits
    assert unique.min() > 0


@pytest.mark.parametrize("pair", [("brightness", "contrast"), ("contrast", "hue"), ("saturation", "hue")])
def test_color_jitter_orders_are_equally_likely(pair):
    """With two operations at a time, which came first is read off the pixels: each does in half of the cases."""
    strength = {name: s if name in pair else 0.0 for name, s in STRENGTH.items()}
    apply = jax.jit(jax.vmap(lambda key: views.color_jitter(key, jnp.asarray(SMALL), **strength)))
    out, draws = np.asarray(apply(keys(500))), jittered()[1]
    first = []
    for result, draw in zip(out, draws):
        factors, shift = 0.2 + 1.6 * draw[:3], 0.2 * (2 * draw[5] - 1)
        factors = [f if name in pair else 1.0 for f, name in zip(factors, STRENGTH)]
        ways = [jitter64(SMALL, order, factors, shift) for order in (pair, pair[::-1])]
        errors = [np.abs(way - result).max() for way in ways]
        assert min(errors) < 5e-6
        if np.abs(ways[0] - ways[1]).max() > 1e-4:  # without clamping in between the order leaves no trace
            first.append(errors[0] < errors[1])
    assert len(first) > 120
    assert abs(np.mean(first) - 0.5) < 4 * math.sqrt(0.25 / len(first))


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_jitter_factor_is_uniform_between_its_ends(name):
    """One operation alone: the factor read off the pixels is uniform in [max(0, 1 - s), 1 + s]."""
    image = np.array([[[0.35, 0.3, 0.4], [0.3, 0.35, 0.25]]], np.float32)  # never clamps below a factor of 2.5
    other = {"brightness": 0.0, "contrast": grey64(image).mean(), "saturation": grey64(image)[0, 0]}[name]
    strength = dict(brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0)
    for s, low in ((0.4, 0.6), (1.3, 0.0)):
        apply = jax.jit(jax.vmap(lambda key, s=s: views.color_jitter(key, jnp.asarray(image), **{**strength, name: s})))
        out = np.asarray(apply(keys(3000)))[:, 0, 0, 2]
        factor = (out - other) / (image[0, 0, 2] - other)
        assert stats.kstest(factor, stats.uniform(low, 1 + s - low).cdf).pvalue > 1e-3


def test_hue_shift_is_colorsys_and_uniform():
    image = np.concatenate(
        [SMALL.reshape(-1, 3), np.eye(3), 1 - np.eye(3), [[0.5] * 3, [0] * 3, [1] * 3, [0.2, 0.2, 0.7]]]
    )
    image = image.reshape(1, -1, 3).astype(np.float32)
    strength = dict(brightness=0.0, contrast=0.0, saturation=0.0, hue=0.5)
    out = np.asarray(jax.jit(jax.vmap(lambda key: views.color_jitter(key, jnp.asarray(image), **strength)))(keys(400)))
    red = 20  # the pure red pixel: its new hue is the shift
    shifts = np.array([colorsys.rgb_to_hsv(*result[0, red].astype(float))[0] for result in out])
    for result, shift in zip(out, shifts):
        np.testing.assert_allclose(result, hue64(image.astype(np.float64), shift), atol=5e-6)
    assert stats.kstest((shifts + 0.5) % 1.0, stats.uniform(0, 1).cdf).pvalue > 1e-3


def test_hue_outside_half_a_turn_is_an_error():
    with pytest.raises(ValueError, match="hue=0.6"):
        views.color_jitter(jax.random.key(0), jnp.asarray(SMALL), brightness=0, contrast=0, saturation=0, hue=0.6)


def test_grayscale_and_solarize_formulas():
    key, image = jax.random.key(0), jnp.asarray(SMALL)
    grey = views.grayscale(key, image, prob=1.0)
    np.testing.assert_allclose(grey, np.repeat(grey64(SMALL)[..., None], 3, axis=-1), atol=1e-6)
    for threshold in (0.5, 0.25):
        solar = views.solarize(key, image, threshold=threshold, prob=1.0)
        np.testing.assert_allclose(solar, np.where(SMALL >= threshold, 1 - SMALL, SMALL), atol=1e-7)


@pytest.mark.parametrize("sigma", [0.1, 0.8, 2.0])
@pytest.mark.parametrize("kernel_size", [3, 7])
def test_gaussian_blur_is_a_reflected_convolution(sigma, kernel_size):
    image, radius = RNG.uniform(0, 1, (8, 11, 3)).astype(np.float32), kernel_size // 2
    blur = functools.partial(views.gaussian_blur, kernel_size=kernel_size, sigma=(sigma, sigma), prob=1.0)
    out = jax.jit(blur)(jax.random.key(0), jnp.asarray(image))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = np.outer(taps, taps) / taps.sum() ** 2
    padded = np.pad(image.astype(np.float64), ((radius, radius), (radius, radius), (0, 0)), mode="reflect")
    expected = np.zeros(image.shape)
    for i, j in itertools.product(range(kernel_size), repeat=2):
        expected += kernel[i, j] * padded[i : i + 8, j : j + 11]
    np.testing.assert_allclose(out, expected, atol=2e-6)


def test_gaussian_blur_draws_sigma_uniformly():
    """The width is read off the blurred image of a point."""
    point = jnp.zeros((33, 33, 3)).at[16, 16].set(1.0)
    blur = functools.partial(views.gaussian_blur, kernel_size=33, sigma=(0.5, 2.0), prob=1.0)
    out = np.asarray(jax.jit(jax.vmap(lambda key: blur(key, point)))(keys(500)), np.float64)[..., 0]
    sigma = np.sqrt((out.sum(axis=2) * (np.arange(33) - 16) ** 2).sum(axis=1))
    # Sampling a Gaussian at whole pixels changes its second moment by less than 2% at sigma >= 0.5.
    assert stats.kstest(sigma, stats.uniform(0.5, 1.5).cdf).pvalue > 1e-3


@pytest.mark.parametrize("kernel_size", [4, 17])
def test_gaussian_blur_refuses_kernels_that_cannot_be(kernel_size):
    with pytest.raises(ValueError, match=f"kernel_size={kernel_size}"):
        views.gaussian_blur(jax.random.key(0), jnp.zeros((8, 8, 3)), kernel_size=kernel_size)


# ------------------------------------------------------------------------------------------------- what all share

RANDOM = {
    "crop": functools.partial(views.random_resized_crop, size=4),
    "crop_bicubic_flip": functools.partial(views.random_resized_crop, size=4, interpolation="bicubic", flip_prob=0.5),
    "flip": functools.partial(views.horizontal_flip, prob=0.3),
    "jitter": functools.partial(views.color_jitter, **STRENGTH, prob=0.8),
    "grayscale": functools.partial(views.grayscale, prob=0.2),
    "blur": functools.partial(views.gaussian_blur, kernel_size=3, sigma=(0.4, 2.0), prob=0.5),
    "solarize": functools.partial(views.solarize, prob=0.2),
}


@pytest.mark.parametrize(
    "name, prob", [("flip", 0.3), ("jitter", 0.8), ("grayscale", 0.2), ("blur", 0.5), ("solarize", 0.2)]
)
def test_probability(name, prob):
    out = np.asarray(jax.jit(jax.vmap(RANDOM[name], in_axes=(0, None)))(keys(4000, seed=3), jnp.asarray(SMALL)))
    # What is not touched comes back as it was: bit for bit, after the blur's matrices within rounding.
    changed = (np.abs(out - SMALL) > (1e-6 if name == "blur" else 0)).any(axis=(1, 2, 3))
    assert abs(changed.mean() - prob) < 4 * math.sqrt(prob * (1 - prob) / 4000)


@pytest.mark.parametrize("name", RANDOM)
def test_key_decides_and_jit_agrees(name):
    apply, image = RANDOM[name], jnp.asarray(SMALL)
    batched = jax.jit(jax.vmap(apply, in_axes=(0, None)))
    many = batched(keys(40), image)
    np.testing.assert_array_equal(many, batched(keys(40), image))
    np.testing.assert_allclose(many[7], apply(keys(40)[7], image), atol=1e-6)
    assert len(np.unique(np.asarray(many), axis=0)) > 1
    assert many.dtype == jnp.float32 and float(many.min()) >= 0.0 and float(many.max()) <= 1.0


def test_to_float_and_normalize():
    pixels = RNG.integers(0, 256, (3, 2, 3), dtype=np.uint8)
    np.testing.assert_allclose(views.to_float(jnp.asarray(pixels)), pixels / 255.0, atol=1e-7)
    assert views.to_float(jnp.ones((1, 1, 3), jnp.bfloat16)).dtype == jnp.float32
    with pytest.raises(ValueError, match="int32"):
        views.to_float(jnp.zeros((1, 1, 3), jnp.int32))
    mean, std = (0.4, 0.5, 0.6), (0.1, 0.2, 0.3)
    expected = (SMALL - np.array(mean)) / np.array(std)
    np.testing.assert_allclose(views.normalize(jnp.asarray(SMALL), mean=mean, std=std), expected, atol=2e-6)
