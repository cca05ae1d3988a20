"""DINOv2: iBOT with balanced targets, a second head for the patches, and KoLeo (Oquab et al., arXiv:2304.07193).

jssl pretrain --config configs/dinov2.py:small,cifar10 --workdir runs/dinov2

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. What differs from the paper: layer
norm round the patch projection (patch_norm), which decides whether a short run learns; batch norm in the heads, a cold and
fast teacher, fewer masks, no local crops. What was tried: docs/experiments.md.

vit_tiny: the numbers of DINOv2's code for ViT-L on ImageNet-1k (dinov2/configs/ssl_default_config.yaml): AdamW 4e-3 at batch
1,024 with square-root scaling, clip 3, momentum 0.992 to 1, eight local crops; without its layer-wise decay, LayerScale and
drop path, and with balanced targets (its ViT-L/14's), 4,096 prototypes and local crops of 16 pixels.

vit_large: facebookresearch/dinov2, dinov2/configs/ssl_default_config.yaml with train/vitl16_short.yaml, whose 100 epochs of
1,250 steps are 200 of ImageNet-1k (it reports 81.6 % k-NN and 82.9 % linear). All lengths here are in epochs of ImageNet-1k,
two for each of its own. Unlike there, there are registers (arXiv:2309.16588). For a TPU or GPU pod.
"""

from jssl import recipes


def small(data):
    config = recipes.small_vit("dinov2", data, batch_size=64, steps="1.72 epochs")
    config.method.encoder.patch_norm = True
    config.method.update(
        {
            "crops": {"num_local": 0, "global_scale": (0.2, 1.0)},
            "head": {"hidden": 256, "bottleneck": 128, "prototypes": 1024, "batch_norm": True},
            "mask": {"ratio": (0.1, 0.3), "probability": 0.25},
            "temperature": {"teacher": 0.01, "teacher_start": 0.01},
        }
    )
    recipes.image(config, augment={"blur": False, "interpolation": "bilinear"})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "10 %"})
    config.ema.update({"momentum": 0.9, "momentum_end": 1.0})
    return config


def vit_tiny(data):
    config = recipes.vit_tiny("dinov2", data, batch_size=512, epochs=400)
    config.method.update(
        {
            "crops": {"local_size": 16},
            "head": {"bottleneck": 256, "prototypes": 4096},
            "temperature": {"warmup": "30 epochs"},
        }
    )
    recipes.image(config, augment={"blur": False})
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 4e-3 * (512 / 1024) ** 0.5,
            "learning_rate_end": 1e-6,
            "weight_decay": 0.04,
            "weight_decay_end": 0.4,
            "warmup": "10 epochs",
            "clip_norm": 3.0,
            "freeze": "last_layer",
            "freeze_for": "1 epoch",
        }
    )
    config.ema.update({"momentum": 0.992, "momentum_end": 1.0})
    return config


def vit_large(data):
    config = recipes.vit("dinov2", data, "vit_large", batch_size=2048, epochs=200, hardware="v5e:16x16")
    config.method.encoder.update({"registers": 4, "layer_scale": 1e-5, "drop_path": 0.3, "drop_path_uniform": True})
    config.method.update(
        {
            "head": {"bottleneck": 256, "prototypes": 65536},
            "shared_head": True,
            "temperature": {"warmup": "60 epochs"},
            "centering": {"kind": "softmax"},
        }
    )
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 4e-3 * (2048 / 1024) ** 0.5,
            "learning_rate_end": 1e-6,
            "weight_decay": 0.04,
            "weight_decay_end": 0.4,
            "warmup": "20 epochs",
            "clip_norm": 3.0,
            "freeze": "last_layer",
            "freeze_for": "2 epochs",
            "options": {"layer_decay": 0.9, "num_layers": 24, "groups": {"patch_embed": 0.2}},
        }
    )
    config.ema.momentum = 0.992
    config.fsdp = 8
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (vit_tiny, "cifar10"), (vit_large, "imagenet"))
