"""The augmentations of the papers, by name: each makes an ``Augmentation`` that keywords change further."""

from jssl.views.images.augmentation import Augmentation, EvalView


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


def lejepa(size: int, *, blur: bool = True, **overrides) -> Augmentation:
    """LeJEPA (Balestriero and LeCun 2025, https://arxiv.org/abs/2511.08544): crops of all sizes change alike, each by chance.

    >>> lejepa(224).blur_prob, lejepa(224).solarize_prob
    (0.5, 0.2)
    """
    return byol(size, 1, blur=blur, **{"crop_scale": (0.3, 1.0), "blur_prob": 0.5 if blur else 0.0, **overrides})


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
