"""Views split one raw example into what goes in and what is predicted. Pure functions of (key, example)."""

from jssl.views.image import (
    center_crop,
    color_jitter,
    gaussian_blur,
    grayscale,
    horizontal_flip,
    normalize,
    random_box,
    random_resized_crop,
    resize_crop,
    solarize,
    to_float,
)
from jssl.views.masks import mask_from_noise, random_mask
from jssl.views.multiblock import multi_block, truncate_context
from jssl.views.multicrop import multi_crop
from jssl.views.presets import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Augmentation,
    EvalView,
    byol,
    dino_global,
    dino_local,
    eval_view,
    mae,
    moco_v2,
    simclr,
)

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "Augmentation",
    "EvalView",
    "byol",
    "center_crop",
    "color_jitter",
    "dino_global",
    "dino_local",
    "eval_view",
    "gaussian_blur",
    "grayscale",
    "horizontal_flip",
    "mae",
    "mask_from_noise",
    "moco_v2",
    "multi_block",
    "multi_crop",
    "normalize",
    "random_box",
    "random_mask",
    "random_resized_crop",
    "resize_crop",
    "simclr",
    "solarize",
    "to_float",
    "truncate_context",
]
