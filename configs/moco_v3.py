"""MoCo v3: a predicted query finds the EMA encoder's key among the keys of the batch (Chen et al., arXiv:2104.02057).

jssl pretrain --config configs/moco_v3.py:small,cifar10 --workdir runs/moco_v3

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Muon, heads of 256 and 64.

resnet18: solo-learn, scripts/pretrain/cifar/mocov3.yaml (published online linear accuracy 93.10 %): clipped LARS 0.3 at batch
256, trust 0.02, weight decay 1e-6, temperature 0.2, widths 4096 and 256, no batch norm at the end of the predictor, momentum
0.99 to 1.

vit_tiny: AdamW, learning rate 1.5e-4 x batch / 256, weight decay 0.1, temperature 0.2, momentum 0.99 to 1, frozen patch
projection: facebookresearch/moco-v3, CONFIG.md, for ViT-S.

vit_small: facebookresearch/moco-v3, CONFIG.md: AdamW, 1.5e-4 x batch / 256, weight decay 0.1, 40 epochs of warm-up, frozen
random patch projection, 12 heads (vits.py); it reports 73.2 % linear. For a TPU or GPU pod.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("moco_v3", data, batch_size=128, steps="5.66 epochs")
    config.method.update({"temperature": 0.2, "projector": (256, 64), "predictor": (256, 64)})
    recipes.image(config, augment={"blur": False, "crop_scale": (0.2, 1.0)})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    config.ema.update({"momentum": 0.99, "momentum_end": 1.0})
    return config


def resnet18(data):
    config = recipes.resnet18("moco_v3", data, batch_size=256, epochs=1000)
    config.method.update(
        {"temperature": 0.2, "projector": (4096, 256), "predictor": (4096, 256), "final_batch_norm": False}
    )
    config.optimizer.update(
        {
            "name": "larc",
            "learning_rate": 0.3,
            "weight_decay": 1e-6,
            "warmup": "10 epochs",
            "options": {"trust_coefficient": 0.02},
        }
    )
    config.ema.update({"momentum": 0.99, "momentum_end": 1.0})
    return config


def vit_tiny(data):
    config = recipes.vit_tiny("moco_v3", data, batch_size=1024, epochs=400)
    recipes.image(config, augment={"blur": False})
    config.optimizer.update(
        {"name": "adamw", "learning_rate": 1.5e-4 * 1024 / 256, "weight_decay": 0.1, "warmup": "40 epochs"}
    )
    config.optimizer.update({"freeze": "patch_embed", "freeze_for": "100 %"})
    config.ema.update({"momentum": 0.99, "momentum_end": 1.0})
    return config


def vit_small(data):
    config = recipes.vit("moco_v3", data, "vit_small", batch_size=4096, epochs=300)
    config.method.encoder.update({"positions": "sincos", "heads": 12})
    config.optimizer.update(
        {"name": "adamw", "learning_rate": 1.5e-4 * 4096 / 256, "weight_decay": 0.1, "warmup": "40 epochs"}
    )
    config.optimizer.update({"freeze": "patch_embed", "freeze_for": "100 %"})
    config.ema.update({"momentum": 0.99, "momentum_end": 1.0})
    return config


get_config = recipes.recipe(
    (small, "synthetic", "cifar10"), (resnet18, "cifar10"), (vit_tiny, "cifar10"), (vit_small, "imagenet")
)
