"""Views of a picture as values: a frozen ``Augmentation`` or ``EvalView`` is a function ``(key, image, size) -> view``."""

import dataclasses

import jax
from jax import Array

from jssl.views.images import geometric, photometric

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Crop, flip, colour jitter, grey, blur, solarise, normalise, in that order, each with its own probability.

    An operation whose probability (or strength) is 0 is not traced at all. Pictures that were squashed to a common
    canvas are called with their true size: areas and aspects are then those of crops of the originals.

    Args:
        size: side of the result.
        crop_scale: range of the area of the crop.
        crop_ratio: range of its width / height.
        interpolation: "bilinear" or "bicubic".
        flip_prob: mirror left to right.
        brightness: jitter strengths, see ``color_jitter``.
        contrast: jitter strength.
        saturation: jitter strength.
        hue: jitter strength, at most 0.5.
        jitter_prob: probability of the colour jitter.
        gray_prob: probability of dropping the colour.
        blur_prob: probability of the Gaussian blur.
        blur_sigma: range of its standard deviation in pixels.
        solarize_prob: probability of solarisation at 0.5.
        mean: channel means that are subtracted at the end.
        std: channel standard deviations that are divided by.

    >>> augment = Augmentation(size=8, gray_prob=0.2)
    >>> jax.jit(augment)(jax.random.key(0), jax.numpy.ones((8, 8, 3))).shape
    (8, 8, 3)
    """

    size: int
    crop_scale: tuple[float, float] = (0.08, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    interpolation: str = "bilinear"
    flip_prob: float = 0.5
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    jitter_prob: float = 0.0
    gray_prob: float = 0.0
    blur_prob: float = 0.0
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    solarize_prob: float = 0.0
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    def __call__(self, key: Array, image: Array, size: Array | None = None) -> Array:
        """One view of an image.

        Args:
            key: PRNG key.
            image: (H, W, C) uint8 or float in [0, 1]; C = 3 where colours are jittered or dropped.
            size: (2,) height and width that the picture had before it was brought to (H, W), may be traced; None for a
                picture as it was taken.

        Returns:
            (S, S, C) float32, S the side ``self.size``; a smaller picture is enlarged.

        Raises:
            ValueError: if the image is not one picture with its channels last, or has not as many as ``mean``.
        """
        return photometric.normalize(self.pixels(key, image, size), mean=self.mean, std=self.std)

    def pixels(self, key: Array, image: Array, size: Array | None = None) -> Array:
        """The view before normalisation, in [0, 1]: what a person wants to look at."""
        crop, jitter, gray, blur, solar = jax.random.split(key, 5)
        image = geometric.random_resized_crop(
            crop,
            photometric.to_float(image),
            size=self.size,
            scale=self.crop_scale,
            ratio=self.crop_ratio,
            interpolation=self.interpolation,
            flip_prob=self.flip_prob,
            true_size=size,
        )
        if self.jitter_prob and any((self.brightness, self.contrast, self.saturation, self.hue)):
            image = photometric.color_jitter(
                jitter,
                image,
                brightness=self.brightness,
                contrast=self.contrast,
                saturation=self.saturation,
                hue=self.hue,
                prob=self.jitter_prob,
            )
        if self.gray_prob:
            image = photometric.grayscale(gray, image, prob=self.gray_prob)
        if self.blur_prob:
            kernel = 2 * max(1, self.size // 20) + 1  # a tenth of the side, odd: 23 at 224
            image = photometric.gaussian_blur(
                blur, image, kernel_size=kernel, sigma=self.blur_sigma, prob=self.blur_prob
            )
        if self.solarize_prob:
            image = photometric.solarize(solar, image, prob=self.solarize_prob)
        return image


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvalView:
    """The deterministic view used for features: central square, resized, normalised. Ignores its key.

    >>> EvalView(size=4)(None, jax.numpy.ones((8, 8, 3))).shape
    (4, 4, 3)
    """

    size: int
    fraction: float = 1.0
    interpolation: str = "bilinear"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    def __call__(self, key: Array | None, image: Array, size: Array | None = None) -> Array:
        """The view of an image.

        Args:
            key: not used; every view takes one.
            image: (H, W, C) uint8 or float in [0, 1].
            size: as for `Augmentation`; with it the square is one of the picture as it was, so circles stay circles.

        Returns:
            (S, S, C) float32, S the side ``self.size``; a smaller picture is enlarged.

        Raises:
            ValueError: if the image is not one picture with its channels last, or has not as many as ``mean``.
        """
        return photometric.normalize(self.pixels(key, image, size), mean=self.mean, std=self.std)

    def pixels(self, key: Array | None, image: Array, size: Array | None = None) -> Array:
        """The view before normalisation, in [0, 1]."""
        del key
        return geometric.center_crop(
            photometric.to_float(image),
            size=self.size,
            fraction=self.fraction,
            interpolation=self.interpolation,
            true_size=size,
        )
