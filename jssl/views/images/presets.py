"""The augmentations of the papers, as values: a frozen ``Augmentation`` is a function ``(key, image, size) -> view``."""

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


def simclr(size: int, *, strength: float = 1.0, blur: bool = True, **overrides) -> Augmentation:
    """SimCLR (Chen et al. 2020, https://arxiv.org/abs/2002.05709); for CIFAR ``strength=0.5, blur=False``.

    >>> simclr(32, strength=0.5, blur=False).hue
    0.1
    """
    values = dict(
        brightness=0.8 * strength,
        contrast=0.8 * strength,
        saturation=0.8 * strength,
        hue=0.2 * strength,
        jitter_prob=0.8,
        gray_prob=0.2,
        blur_prob=0.5 if blur else 0.0,
    )
    return Augmentation(size=size, **{**values, **overrides})


def moco_v1(size: int, **overrides) -> Augmentation:
    """MoCo v1 (He et al. 2019, https://arxiv.org/abs/1911.05722): always jittered, in all four ways alike, no blur.

    >>> moco_v1(32).jitter_prob
    1.0
    """
    values = dict(
        crop_scale=(0.2, 1.0), brightness=0.4, contrast=0.4, saturation=0.4, hue=0.4, jitter_prob=1.0, gray_prob=0.2
    )
    return Augmentation(size=size, **{**values, **overrides})


def moco_v2(size: int, *, blur: bool = True, **overrides) -> Augmentation:
    """MoCo v2 (Chen et al. 2020, https://arxiv.org/abs/2003.04297), also SimSiam's: crops of at least a fifth.

    >>> moco_v2(32, blur=False).crop_scale
    (0.2, 1.0)
    """
    values = dict(
        crop_scale=(0.2, 1.0),
        brightness=0.4,
        contrast=0.4,
        saturation=0.4,
        hue=0.1,
        jitter_prob=0.8,
        gray_prob=0.2,
        blur_prob=0.5 if blur else 0.0,
    )
    return Augmentation(size=size, **{**values, **overrides})


def byol(size: int, which: int = 0, *, blur: bool = True, **overrides) -> Augmentation:
    """BYOL (Grill et al. 2020, https://arxiv.org/abs/2006.07733); ``which`` is 0 or 1, the two views differ.

    View 0 is always blurred; view 1 seldom is, and is solarised in a fifth of the cases. Barlow Twins and VICReg use
    the same pair, MoCo v3 too with crops from 0.2 (ResNet) or 0.08 (ViT) of the image.

    >>> byol(224, 0).blur_prob, byol(224, 1).blur_prob, byol(224, 1).solarize_prob
    (1.0, 0.1, 0.2)
    """
    if which not in (0, 1):
        raise ValueError(f"which={which}; the two views are 0 and 1")
    values = dict(
        interpolation="bicubic",
        brightness=0.4,
        contrast=0.4,
        saturation=0.2,
        hue=0.1,
        jitter_prob=0.8,
        gray_prob=0.2,
        blur_prob=(1.0, 0.1)[which] if blur else 0.0,
        solarize_prob=(0.0, 0.2)[which],
    )
    return Augmentation(size=size, **{**values, **overrides})


def dino_global(size: int, which: int = 0, *, blur: bool = True, **overrides) -> Augmentation:
    """A global crop of DINO (Caron et al. 2021, https://arxiv.org/abs/2104.14294): at least 40% of the image.

    >>> dino_global(224, 1).crop_scale
    (0.4, 1.0)
    """
    return byol(size, which, blur=blur, **{"crop_scale": (0.4, 1.0), **overrides})


def dino_local(size: int, *, blur: bool = True, **overrides) -> Augmentation:
    """A local crop of DINO: at most 40% of the image, blurred in half of the cases.

    >>> dino_local(96).crop_scale
    (0.05, 0.4)
    """
    values = {"crop_scale": (0.05, 0.4), "blur_prob": 0.5 if blur else 0.0}
    return byol(size, 0, blur=blur, **{**values, **overrides})


def mae(size: int, **overrides) -> Augmentation:
    """MAE and I-JEPA (He et al. 2021, https://arxiv.org/abs/2111.06377): crop and flip only.

    I-JEPA's crops start at 0.3 of the image and its published recipe does not flip.

    >>> mae(224).jitter_prob
    0.0
    """
    return Augmentation(size=size, **{"crop_scale": (0.2, 1.0), "interpolation": "bicubic", **overrides})


def eval_view(size: int, *, fraction: float | None = None, **overrides) -> EvalView:
    """The view for evaluation: 7/8 of the shorter side from 64 pixels on, the whole image below (CIFAR).

    >>> eval_view(32).fraction, eval_view(224).fraction
    (1.0, 0.875)
    """
    if fraction is None:
        fraction = 0.875 if size >= 64 else 1.0
    return EvalView(size=size, fraction=fraction, **overrides)
