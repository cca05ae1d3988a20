"""The tiny version of every method for the contract suites: a new method adds its row here."""

RESNET = {"name": "resnet", "stage_sizes": (1, 1), "width": 8, "stem": "cifar"}
VIT = {"name": "vit", "patch_size": 4, "width": 16, "depth": 2, "heads": 2}

# Between them these use every part of the step: teacher, queue, centre, batch statistics, per-example and per-batch keys.
# The other methods go through the same suites, but for a replicated state and bfloat16.
CORE = ("dino", "ijepa", "mae", "moco", "simclr")
# This one goes through the suites in the fast run, too: compiling a step takes most of a suite's time.
FAST = ("moco",)

# Crops and flips are random enough to tell keys apart; the other operations would triple every compilation.
LIGHT = {"jitter_prob": 0.0, "gray_prob": 0.0, "blur_prob": 0.0, "solarize_prob": 0.0}
IMAGE = {"size": 16, "augment": LIGHT}
PLAIN = {"size": 16}

CONTRASTIVE = {"image": IMAGE, "encoder": RESNET, "projector": (16, 8), "temperature": 0.5}
SIAMESE = {"image": IMAGE, "encoder": RESNET, "projector": (16, 8)}
MULTI_CROP = {"image": IMAGE, "crops": {"local_size": 8, "num_local": 2}}
HEAD = {"hidden": 16, "bottleneck": 8, "prototypes": 32}
DISTILLATION = MULTI_CROP | {"head": HEAD, "temperature": {"warmup": 10}}

ROWS = {
    "simclr": CONTRASTIVE,
    "sup_con": CONTRASTIVE,
    "moco": {"image": IMAGE, "encoder": RESNET, "projector": (16, 8), "queue_size": 64},
    "moco_v1": {"image": IMAGE, "encoder": RESNET, "dim": 8, "queue_size": 64},
    "moco_v3": CONTRASTIVE | {"predictor": (16, 8)},
    "byol": SIAMESE | {"predictor": (16, 8)},
    "simsiam": SIAMESE | {"predictor": (16, 8)},  # narrower, and a prediction can be all zero: its gradient is huge
    "barlow_twins": SIAMESE,
    "vicreg": SIAMESE | {"projector": (32, 16)},  # narrower, and rounding grows to 1 % of the loss within 20 steps
    "lejepa": MULTI_CROP | {"encoder": RESNET, "projector": (16, 8), "num_slices": 16},
    "align_uniform": SIAMESE,
    "spectral": SIAMESE | {"projector": (32, 16)},
    "supervised": {"image": IMAGE, "encoder": RESNET},
    "rotation": {"image": PLAIN, "encoder": RESNET},
    "relative_position": {"image": PLAIN, "encoder": RESNET, "patch": 4, "gap": 1, "jitter": 0, "classifier": (16,)},
    "jigsaw": {"image": PLAIN, "encoder": RESNET, "grid": 2, "tile": 6, "num_permutations": 8, "classifier": (16,)},
    "colorization": {"image": PLAIN, "encoder": RESNET, "stride": 2, "decoder_width": 8},
    "denoising": {"image": PLAIN, "encoder": RESNET, "patch": 2, "decoder_width": 8},
    "swav": MULTI_CROP
    | {"encoder": RESNET, "projector": (16, 8), "prototypes": 32, "queue_size": 32, "queue_start": 2},
    "dino": DISTILLATION | {"encoder": VIT | {"drop_path": 0.2}},
    "ibot": DISTILLATION
    | {"encoder": VIT | {"drop_path": 0.2}, "head": HEAD | {"batch_norm": True, "norm_last_layer": False}},
    "dinov2": DISTILLATION | {"encoder": VIT | {"registers": 1, "patch_norm": True}},
    "data2vec": {"image": PLAIN, "encoder": VIT, "top_blocks": 2, "mask": {"min_block": 2}},
    "mae": {
        "image": PLAIN,
        "encoder": VIT | {"depth": 1, "positions": "sincos"},
        "decoder": {"width": 8, "depth": 1, "heads": 2},
    },
    "ijepa": {
        "image": PLAIN,
        "encoder": VIT | {"positions": "sincos", "class_token": False, "pool": "mean", "drop_path": 0.2},
        "predictor": {"width": 8, "depth": 1, "heads": 2},
        "blocks": {"min_keep": 2},
    },
}

TEXT = {"name": "transformer", "width": 16, "depth": 2, "heads": 2}
ROWS |= {
    "causal_lm": {"encoder": TEXT},
    "masked_lm": {"encoder": TEXT, "rate": 0.3},
    "clip": {"image": IMAGE, "encoder": RESNET, "text_encoder": TEXT | {"depth": 1}, "width": 8},
    "siglip": {"image": IMAGE, "encoder": VIT, "text_encoder": TEXT | {"depth": 1, "pool": "last"}, "width": 8},
}

ROWS |= {
    "audio_mae": {
        "spectrogram": {"window": 8.0, "hop": 4.0, "mels": 16},
        "encoder": VIT | {"depth": 1, "positions": "sincos", "class_token": False, "pool": "mean"},
        "decoder": {"width": 8, "depth": 1, "heads": 2},
    }
}
ROWS |= {
    "data2vec_audio": {
        "spectrogram": ROWS["audio_mae"]["spectrogram"],
        "encoder": VIT | {"positions": "sincos", "class_token": False, "pool": "mean"},
        "mask": {"span": 2},
        "top_blocks": 2,
    }
}
ROWS |= {
    "ajepa": {
        "spectrogram": ROWS["audio_mae"]["spectrogram"],
        "encoder": ROWS["ijepa"]["encoder"],
        "predictor": ROWS["ijepa"]["predictor"],
        "blocks": {"min_keep": 2},
        "bands": {"full": 10},
    }
}

FRAMES = ((8, 10, 5), (8, 4, 4))  # 25 of 512 samples
WAVE = {"name": "wave_transformer", "layers": FRAMES, "width": 16, "depth": 1, "heads": 2}
ROWS |= {
    "wav2vec2": {
        "encoder": WAVE | {"kernel": 4, "groups": 2, "convolution_gradient": 0.1, "drop_path": 0.2},
        "mask": {"span": 4},
        "codes": {"entries": 4, "width": 8, "anneal": 10},
        "width": 8,
        "negatives": 5,
    },
    "cpc": {"encoder": {"name": "wave_gru", "layers": FRAMES, "width": 16}, "steps_ahead": 2, "negatives": 4},
    "apc": {"spectrogram": {"mels": 8, "hop": 4.0}, "encoder": {"name": "gru", "width": 16, "depth": 2}},
}

CLIP = {"size": 16, "frames": 4}
OF_CLIPS = VIT | {"depth": 1, "class_token": False, "pool": "mean"}
CLIP_MASKS = {"num_blocks": (2, 1), "spatial_scale": (0.2, 0.5), "context_size": (24, 16)}
ROWS |= {
    "videomae": {
        "video": CLIP,
        "encoder": OF_CLIPS | {"positions": "sincos"},
        "decoder": {"width": 8, "depth": 1, "heads": 2},
        "mask_ratio": 0.75,
    },
    "vjepa": {
        "video": CLIP,
        "encoder": OF_CLIPS | {"positions": "sincos"},
        "predictor": {"width": 8, "depth": 1, "heads": 2},
        "masks": CLIP_MASKS,
    },
    "vjepa2_1": {
        "video": CLIP,
        "encoder": OF_CLIPS | {"positions": "rotary", "depth": 2},
        "predictor": {"width": 12, "depth": 1, "heads": 2},
        "masks": CLIP_MASKS | {"num_blocks": (2,), "spatial_scale": (0.3,), "context_size": None},
        "context": {"full": 10},
    },
}

ROWS |= {
    "mc_jepa": {
        "video": CLIP | {"augment": LIGHT},
        "encoder": RESNET,
        "flow": {"width": 8, "depth": 1, "reach": 1},
        # Light: absolute values of what is all but zero in flat pictures, whose slopes rounding flips.
        "motion": {"photometric": 0.1, "smoothness": 0.01, "consistency": 0.01, "edge": 1.0},
        "projector": (32, 16),
    }
}

ROWS |= {
    "audio_video": {
        "video": CLIP,
        "spectrogram": ROWS["audio_mae"]["spectrogram"],
        "encoder": OF_CLIPS | {"positions": "sincos"},
        "audio_encoder": ROWS["audio_mae"]["encoder"],
        "width": 8,
        "segments": 2,
    }
}

ROWS |= {
    "ac_jepa": {
        "video": CLIP,
        "encoder": OF_CLIPS | {"positions": "sincos"},
        "features": "pooled",
        "predictor": {"width": 8, "depth": 1, "heads": 2, "memory": False},
        "guard": {"variance": 1.0, "covariance": 0.1},
        "inverse": (8,),
    }
}

# Paths that a method's row leaves out: "<method>-<what>" goes through the same suites.
ROWS |= {
    "dino-sinkhorn": ROWS["dino"] | {"centering": {"kind": "sinkhorn"}},
    "dinov2-shared_head": ROWS["dinov2"] | {"shared_head": True, "centering": {"kind": "softmax"}, "gram_weight": 2.0},
    "moco-vit": ROWS["moco"] | {"encoder": VIT | {"drop_path": 0.2}, "symmetric": True},  # no batch norm
    "audio_mae-bands": ROWS["audio_mae"] | {"bands": (0.5, 0.5), "audio": {"samples": 384, "noise": (10.0, 20.0)}},
    "moco_v3-vit": ROWS["moco_v3"] | {"encoder": VIT},
    "cpc-transformer": ROWS["cpc"] | {"encoder": WAVE, "negatives_from": "sound"},
    "causal_lm-rotary": {"encoder": TEXT | {"positions": "rotary", "mlp": "swiglu", "scan": True, "drop_path": 0.2}},
}


def method_of(row: str) -> str:
    """The method of a row's name."""
    return row.partition("-")[0]
