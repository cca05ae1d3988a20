"""MAE: reconstruct the pixels of masked patches from the visible quarter (He et al., arXiv:2111.06377).

jssl pretrain --config configs/mae.py:small,cifar10 --workdir runs/mae

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Pictures of 32 pixels where the other
small recipes have crops of 24; Muon, a decoder of one block. What was tried: docs/experiments.md.

small,photos: the same network for a folder of a few thousand photos on a laptop, 100 epochs of crops of 96 pixels in patches of
12. Ours; docs/results.md has a short run of it.

vit_tiny: AdamW (0.9, 0.95), base learning rate 1.5e-4 x batch / 256, weight decay 0.05, 75 % masked, normalised targets,
crops and flips: the paper, table 8, and facebookresearch/mae, main_pretrain.py, with a decoder in proportion to ViT-Ti.

vit_base, vit_large: the paper, table 8, and facebookresearch/mae, PRETRAIN.md and main_pretrain.py; it reports 83.6 % and
85.9 % after fine-tuning. For a TPU or GPU pod.
"""

from jssl import recipes


def small(data):
    config = recipes.small_vit("mae", data, batch_size=64, steps="5.75 epochs")
    config.method.decoder = {"width": 64, "depth": 1, "heads": 4}
    recipes.image(config, size=32)
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "4.54 %"})
    return recipes.photos(config, epochs=100) if data == "photos" else config


def vit_tiny(data):
    config = recipes.vit_tiny("mae", data, batch_size=1024, epochs=400)
    config.method.decoder = {"width": 128, "depth": 4, "heads": 4}
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 1.5e-4 * 1024 / 256,
            "weight_decay": 0.05,
            "warmup": "40 epochs",
            "options": {"b2": 0.95},
        }
    )
    return config


def vit_base(data):
    return _paper(recipes.vit("mae", data, "vit_base", batch_size=4096, epochs=1600))


def vit_large(data):
    return _paper(recipes.vit("mae", data, "vit_large", batch_size=4096, epochs=1600, hardware="v5e:16x16"))


def _paper(config):
    config.method.encoder.positions = "sincos"
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 1.5e-4 * 4096 / 256,
            "weight_decay": 0.05,
            "warmup": "40 epochs",
            "options": {"b2": 0.95},
        }
    )
    return config


get_config = recipes.recipe(
    (small, "synthetic", "cifar10", "photos"), (vit_tiny, "cifar10"), (vit_base, "imagenet"), (vit_large, "imagenet")
)
