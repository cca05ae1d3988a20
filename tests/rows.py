"""The tiny version of every method for the contract suites: a new method adds its row here."""

RESNET = {"name": "resnet", "stage_sizes": (1, 1), "width": 8, "stem": "cifar"}
VIT = {"name": "vit", "patch_size": 4, "width": 16, "depth": 2, "heads": 2}

# Crops and flips are random enough to tell keys apart; the other operations would triple every compilation.
LIGHT = {"jitter_prob": 0.0, "gray_prob": 0.0, "blur_prob": 0.0, "solarize_prob": 0.0}

ROWS = {
    "simclr": {"encoder": RESNET, "augmentation": LIGHT, "projector": (16, 8), "temperature": 0.5},
    "moco": {"encoder": RESNET, "augmentation": LIGHT, "projector": (16, 8), "queue_size": 64},
    "dino": {
        "encoder": VIT | {"drop_path": 0.2}, "local_size": 8, "num_local": 2, "hidden": 16, "bottleneck": 8,
        "prototypes": 32, "augmentation": LIGHT, "teacher_temperature_warmup_steps": 10,
    },
    "mae": {"encoder": VIT | {"positions": "sincos"}, "decoder_width": 8, "decoder_depth": 1, "decoder_heads": 2},
    "ijepa": {
        "encoder": VIT | {"positions": "sincos", "class_token": False, "pool": "mean", "drop_path": 0.2},
        "predictor_width": 8, "predictor_depth": 1, "predictor_heads": 2, "min_keep": 2,
    },
}  # fmt: skip
