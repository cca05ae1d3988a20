"""I-JEPA: predict an EMA encoder's features of four blocks from one context block (Assran et al., arXiv:2301.08243).

jssl pretrain --config configs/ijepa.py:small,cifar10 --workdir runs/ijepa

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. What differs from the paper makes
targets differ between patches from the start and change slowly: learned positions, layer norm round the patch projection
(patch_norm), LayerScale 0.1, a teacher momentum from 0.9999. What was tried: docs/experiments.md.

vit_tiny: AdamW, learning rate 1e-3 at batch 2,048 scaled to 1,024 after 15 epochs of warm-up, weight decay 0.04 to 0.4,
teacher momentum 0.996 to 1 (linearly), four targets of 0.15 to 0.2 of the image, context 0.85 to 1: the paper, appendix A,
with a predictor in proportion to ViT-Ti, and flips.

vit_huge: facebookresearch/ijepa, configs/in1k_vith14_ep300.yaml: predictor of depth 12 and width 384 with the encoder's 16
heads, crops without flips; the paper reports 79.3 % on the linear probe. For a TPU or GPU pod.
"""

from jssl import recipes


def small(data):
    config = recipes.small_vit("ijepa", data, batch_size=64, steps="2.37 epochs")
    config.method.encoder.update({"positions": "learned", "layer_scale": 0.1, "patch_norm": True})
    config.method.update(
        {
            "blocks": {"context_size": 14, "min_keep": 4},  # of 36 patches
            "predictor": {"width": 128, "depth": 2, "heads": 4},
        }
    )
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5.9 %"})
    config.ema.update({"momentum": 0.9999, "momentum_end": 1.0})
    return config


def vit_tiny(data):
    config = recipes.vit_tiny("ijepa", data, batch_size=1024, epochs=400)
    config.method.encoder.update({"class_token": False, "pool": "mean"})
    config.method.predictor = {"width": 96, "depth": 6, "heads": 3}
    recipes.image(config, augment={"crop_scale": (0.3, 1.0)})
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 1e-3 * 1024 / 2048,
            "learning_rate_end": 1e-6,
            "weight_decay": 0.04,
            "weight_decay_end": 0.4,
            "warmup": "15 epochs",
        }
    )
    config.ema.schedule = "linear"
    return config


def vit_huge(data):
    config = recipes.vit("ijepa", data, "vit_huge", batch_size=2048, epochs=300, hardware="v5e:16x16")
    config.method.encoder.update({"patch_size": 14, "positions": "sincos", "class_token": False, "pool": "mean"})
    config.method.predictor = {"depth": 12, "heads": 16}
    recipes.image(config, augment={"crop_scale": (0.3, 1.0), "flip_prob": 0.0})
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 1e-3,
            "learning_rate_end": 1e-6,
            "weight_decay": 0.04,
            "weight_decay_end": 0.4,
            "warmup": "40 epochs",
        }
    )
    config.ema.schedule = "linear"
    config.fsdp = 8
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (vit_tiny, "cifar10"), (vit_huge, "imagenet"))
