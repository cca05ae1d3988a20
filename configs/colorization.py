"""Colorization: name the colours of a picture of which only the lightness is seen (Zhang et al., arXiv:1603.08511).

jssl pretrain --config configs/colorization.py:small,cifar10 --workdir runs/colorization

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Muon, the method's own defaults.

resnet18: bins of 10, five neighbours, sigma 5, half uniform prior: the paper (its code takes ten neighbours). The authors
train with Adam from 3e-5 and weight decay 1e-3 on ImageNet (their train/solver.prototxt); AdamW at 1e-3 and 0.01 here.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("colorization", data, batch_size=128, steps="9.2 epochs")
    recipes.image(config, augment={"crop_scale": (0.4, 1.0)})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    return config


def resnet18(data):
    config = recipes.resnet18("colorization", data, batch_size=256, epochs=200)
    recipes.image(config, augment={"crop_scale": (0.4, 1.0)})
    config.optimizer.update({"name": "adamw", "learning_rate": 1e-3, "weight_decay": 0.01, "warmup": "5 epochs"})
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"))
