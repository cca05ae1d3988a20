"""iBOT: DINO on the class token and on the patches that the student does not see (Zhou et al., arXiv:2111.07832).

jssl pretrain --config configs/ibot.py:small,cifar10 --workdir runs/ibot

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. What differs from the paper: layer
norm round the patch projection (patch_norm), which decides whether a short run learns; batch norm in the head, a faster
teacher and faster centres, fewer masks, no local crops. What was tried, also against a partial collapse of its features:
docs/experiments.md.

vit_tiny: bytedance/ibot, the README's command for ViT-S/16: DINO's with ten local crops of 0.05 to 0.25 of the image and
masks of 0.1 to 0.5 on half of the global crops; 4,096 prototypes and local crops of 16 pixels for CIFAR.

vit_small: bytedance/ibot, the README's command for ViT-S/16; it reports 75.2 % k-NN and 77.9 % linear. For a TPU or GPU pod.
"""

from jssl import recipes


def small(data):
    config = recipes.small_vit("ibot", data, batch_size=64, steps="1.68 epochs")
    config.method.encoder.patch_norm = True
    config.method.update(
        {
            "crops": {"num_local": 0, "global_scale": (0.2, 1.0)},
            "head": {"hidden": 256, "bottleneck": 128, "prototypes": 1024, "batch_norm": True},
            "mask": {"ratio": (0.1, 0.3), "probability": 0.25},
            "temperature": {"teacher": 0.04},
            "centering": {"momentum": 0.8},
        }
    )
    recipes.image(config, augment={"blur": False, "interpolation": "bilinear"})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "10 %"})
    config.optimizer.update({"freeze": "last_layer", "freeze_for": "33.4 %"})
    config.ema.update({"momentum": 0.98, "momentum_end": 1.0})
    return config


def vit_tiny(data):
    config = recipes.vit_tiny("ibot", data, batch_size=512, epochs=400)
    config.method.update(
        {
            "crops": {"local_size": 16, "global_scale": (0.25, 1.0), "local_scale": (0.05, 0.25)},
            "head": {"prototypes": 4096},
            "temperature": {"warmup": "30 epochs"},
        }
    )
    recipes.image(config, augment={"blur": False})
    config.optimizer.update({"learning_rate": 5e-4 * 512 / 256, **_ADAMW})
    return config


def vit_small(data):
    config = recipes.vit("ibot", data, "vit_small", batch_size=1024, epochs=800)
    config.method.encoder.drop_path = 0.1
    config.method.update(
        {
            "crops": {"global_scale": (0.25, 1.0), "local_scale": (0.05, 0.25)},
            "head": {"norm_last_layer": False},
            "temperature": {"warmup": "30 epochs"},
        }
    )
    config.optimizer.update({"learning_rate": 5e-4 * 1024 / 256, **_ADAMW})
    return config


_ADAMW = {
    "name": "adamw",
    "learning_rate_end": 1e-6,
    "weight_decay": 0.04,
    "weight_decay_end": 0.4,
    "warmup": "10 epochs",
    "clip_norm": 3.0,
    "freeze": "last_layer",
    "freeze_for": "1 epoch",
}

get_config = recipes.recipe((small, "synthetic", "cifar10"), (vit_tiny, "cifar10"), (vit_small, "imagenet"))
