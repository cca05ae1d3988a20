"""Views split one raw example into what goes in and what is predicted. Pure functions of (key, example).

One folder a family: images, sounds, masks over patches and frames, tokens, videos. Names are imported from here.
"""

from jssl.views.audio.masks import frequency_mask, time_frequency_mask, time_mask
from jssl.views.audio.spectrogram import log_mel, mel_filters, standardize_spectrogram, true_frames
from jssl.views.audio.waves import (
    add_noise,
    change_gain,
    change_speed,
    crop_wave,
    is_sound,
    random_start,
    standardize_wave,
    to_wave,
)
from jssl.views.images.augmentation import IMAGENET_MEAN, IMAGENET_STD, Augmentation, EvalView
from jssl.views.images.chromatic import color_dropping, color_projection
from jssl.views.images.colorization import (
    ab_bins,
    ab_prior,
    colorization,
    rebalancing_weights,
    soft_encode,
    soft_targets,
)
from jssl.views.images.corruptions import gaussian_noise, mask_patches, salt_and_pepper
from jssl.views.images.geometric import center_crop, horizontal_flip, random_box, random_resized_crop, resize_crop
from jssl.views.images.jigsaw import jigsaw, jigsaw_permutations
from jssl.views.images.lab import lab_to_rgb, rgb_to_lab
from jssl.views.images.multicrop import multi_crop
from jssl.views.images.photometric import color_jitter, gaussian_blur, grayscale, normalize, solarize, to_float
from jssl.views.images.presets import byol, dino_global, dino_local, eval_view, lejepa, mae, moco_v1, moco_v2, simclr
from jssl.views.images.relative_position import relative_position
from jssl.views.images.rotation import rotate_90, rotation
from jssl.views.masks.bands import multi_band
from jssl.views.masks.blocks import block_mask, masked_count
from jssl.views.masks.multiblock import multi_block, truncate_context
from jssl.views.masks.multiblock_3d import distance_to_target, multi_block_3d, truncate_clip_masks
from jssl.views.masks.random import mask_from_noise, random_mask, tube_mask
from jssl.views.masks.spans import other_indices, span_mask, span_ranks
from jssl.views.tokens.masked import masked_tokens
from jssl.views.tokens.next_token import next_token
from jssl.views.videos.flow import flow_to_rgb
from jssl.views.videos.frames import central_frames, over_frames, random_frames
from jssl.views.videos.moments import random_moment

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "Augmentation",
    "EvalView",
    "ab_bins",
    "ab_prior",
    "add_noise",
    "block_mask",
    "byol",
    "center_crop",
    "central_frames",
    "change_gain",
    "change_speed",
    "color_dropping",
    "color_jitter",
    "color_projection",
    "colorization",
    "crop_wave",
    "dino_global",
    "dino_local",
    "distance_to_target",
    "eval_view",
    "flow_to_rgb",
    "frequency_mask",
    "gaussian_blur",
    "gaussian_noise",
    "grayscale",
    "horizontal_flip",
    "is_sound",
    "jigsaw",
    "jigsaw_permutations",
    "lab_to_rgb",
    "log_mel",
    "lejepa",
    "mae",
    "mask_from_noise",
    "mask_patches",
    "masked_count",
    "masked_tokens",
    "mel_filters",
    "moco_v1",
    "moco_v2",
    "multi_band",
    "multi_block",
    "multi_block_3d",
    "multi_crop",
    "next_token",
    "normalize",
    "over_frames",
    "other_indices",
    "random_box",
    "random_frames",
    "random_mask",
    "random_moment",
    "random_resized_crop",
    "random_start",
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
    "standardize_spectrogram",
    "standardize_wave",
    "time_frequency_mask",
    "time_mask",
    "span_mask",
    "span_ranks",
    "to_float",
    "to_wave",
    "true_frames",
    "truncate_clip_masks",
    "truncate_context",
    "tube_mask",
]
