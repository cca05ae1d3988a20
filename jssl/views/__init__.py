"""Views split one raw example into what goes in and what is predicted. Pure functions of (key, example)."""

from jssl.views.blocks import block_mask, masked_count
from jssl.views.chromatic import color_dropping, color_projection
from jssl.views.colorization import ab_bins, ab_prior, colorization, rebalancing_weights, soft_encode, soft_targets
from jssl.views.corruptions import gaussian_noise, mask_patches, salt_and_pepper
from jssl.views.geometric import center_crop, horizontal_flip, random_box, random_resized_crop, resize_crop
from jssl.views.jigsaw import jigsaw, jigsaw_permutations
from jssl.views.lab import lab_to_rgb, rgb_to_lab
from jssl.views.masks import mask_from_noise, random_mask
from jssl.views.multiblock import multi_block, truncate_context
from jssl.views.multicrop import multi_crop
from jssl.views.photometric import color_jitter, gaussian_blur, grayscale, normalize, solarize, to_float
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
    moco_v1,
    moco_v2,
    simclr,
)
from jssl.views.relative_position import relative_position
from jssl.views.rotation import all_rotations, rotate_90, rotation

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "Augmentation",
    "EvalView",
    "ab_bins",
    "ab_prior",
    "all_rotations",
    "block_mask",
    "byol",
    "center_crop",
    "color_dropping",
    "color_jitter",
    "color_projection",
    "colorization",
    "dino_global",
    "dino_local",
    "eval_view",
    "gaussian_blur",
    "gaussian_noise",
    "grayscale",
    "horizontal_flip",
    "jigsaw",
    "jigsaw_permutations",
    "lab_to_rgb",
    "mae",
    "mask_from_noise",
    "mask_patches",
    "masked_count",
    "moco_v1",
    "moco_v2",
    "multi_block",
    "multi_crop",
    "normalize",
    "random_box",
    "random_mask",
    "random_resized_crop",
    "rebalancing_weights",
    "relative_position",
    "resize_crop",
    "rgb_to_lab",
    "rotate_90",
    "rotation",
    "salt_and_pepper",
    "simclr",
    "soft_encode",
    "soft_targets",
    "solarize",
    "to_float",
    "truncate_context",
]
