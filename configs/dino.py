"""DINO: student and EMA teacher must name the same prototype (Caron et al., arXiv:2104.14294).

jssl pretrain --config configs/dino.py:small,cifar10 --workdir runs/dino

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. What differs from the paper makes
targets sharp early, which a short run needs: balanced targets (alike in the paper's ablation, section 5.1), batch norm in the
head, a cold and fast teacher; and there are no local crops. What was tried: docs/experiments.md.

small,photos: the same network for a folder of a few thousand photos on a laptop, 100 epochs of crops of 96 pixels, which it
halves twice before its first stage. Ours; docs/results.md has a short run of it.

resnet18: clipped LARS 0.3 at batch 256, trust 0.02, weight decay 1e-6, 4,096 prototypes, teacher momentum 0.9995 to 1, no
local crops, last layer frozen for the first epoch: solo-learn, scripts/pretrain/cifar/dino.yaml (which trains for 1,000
epochs). Teacher temperature 0.04 to 0.07 over 30 epochs: the README of facebookresearch/dino.

vit_tiny: AdamW, learning rate 5e-4 x batch / 256, weight decay 0.04 to 0.4, momentum 0.996 to 1, clip 3, last layer frozen
for an epoch: the defaults of facebookresearch/dino, main_dino.py; teacher temperature: its README. With 4,096 prototypes and
six local crops of 16 pixels for CIFAR.

vit_small: facebookresearch/dino and the args.txt of its ViT-S/16 (read second-hand): ten local crops, no clipping, gains of
the last layer learnt; it reports 74.5 % k-NN and 77.0 % linear. For a TPU or GPU pod.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("dino", data, batch_size=64, steps="4.02 epochs")
    config.method.update(
        {
            "crops": {"num_local": 0, "global_scale": (0.2, 1.0)},
            "head": {"hidden": 512, "bottleneck": 128, "prototypes": 1024, "batch_norm": True},
            "temperature": {"teacher": 0.01, "teacher_start": 0.01},
            "centering": {"kind": "sinkhorn"},
        }
    )
    recipes.image(config, augment={"blur": False, "interpolation": "bilinear"})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "10 %"})
    config.optimizer.update({"freeze": "last_layer", "freeze_for": "7.5 %"})
    config.ema.update({"momentum": 0.9, "momentum_end": 1.0})
    return recipes.photos(config, epochs=100) if data == "photos" else config


def resnet18(data):
    config = recipes.resnet18("dino", data, batch_size=256, epochs=200)
    config.method.update(
        {
            "crops": {"num_local": 0, "global_scale": (0.08, 1.0)},
            "head": {"prototypes": 4096},
            "temperature": {"teacher": 0.07, "warmup": "30 epochs"},
        }
    )
    config.optimizer.update(
        {
            "name": "larc",
            "learning_rate": 0.3,
            "weight_decay": 1e-6,
            "warmup": "10 epochs",
            "options": {"trust_coefficient": 0.02},
            "freeze": "last_layer",
            "freeze_for": "1 epoch",
        }
    )
    config.ema.update({"momentum": 0.9995, "momentum_end": 1.0})
    return config


def vit_tiny(data):
    config = recipes.vit_tiny("dino", data, batch_size=512, epochs=400)
    config.method.update(
        {
            "crops": {"local_size": 16},
            "head": {"prototypes": 4096},
            "temperature": {"teacher": 0.07, "warmup": "30 epochs"},
        }
    )
    recipes.image(config, augment={"blur": False})
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 5e-4 * 512 / 256,
            "learning_rate_end": 1e-6,
            "weight_decay": 0.04,
            "weight_decay_end": 0.4,
            "warmup": "10 epochs",
            "clip_norm": 3.0,
            "freeze": "last_layer",
            "freeze_for": "1 epoch",
        }
    )
    return config


def vit_small(data):
    config = recipes.vit("dino", data, "vit_small", batch_size=1024, epochs=800)
    config.method.encoder.drop_path = 0.1
    config.method.update(
        {
            "crops": {"num_local": 10, "global_scale": (0.25, 1.0), "local_scale": (0.05, 0.25)},
            "head": {"norm_last_layer": False},
            "temperature": {"teacher": 0.07, "warmup": "30 epochs"},
        }
    )
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 5e-4 * 1024 / 256,
            "learning_rate_end": 1e-5,
            "weight_decay": 0.04,
            "weight_decay_end": 0.4,
            "warmup": "10 epochs",
            "freeze": "last_layer",
            "freeze_for": "1 epoch",
        }
    )
    return config


get_config = recipes.recipe(
    (small, "synthetic", "cifar10", "photos"), (resnet18, "cifar10"), (vit_tiny, "cifar10"), (vit_small, "imagenet")
)
