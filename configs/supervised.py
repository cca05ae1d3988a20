"""Supervised training, the baseline (ResNet: He et al., arXiv:1512.03385).

jssl pretrain --config configs/supervised.py:small,cifar10 --workdir runs/supervised

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Muon, crops and flips.

resnet18: SGD 0.1 x batch / 128, momentum 0.9, weight decay 5e-4, crops of at least 40 % of the image: common practice.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("supervised", data, batch_size=128, steps="13.2 epochs")
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    return config


def resnet18(data):
    config = recipes.resnet18("supervised", data, batch_size=512, epochs=200)
    recipes.image(config, augment={"crop_scale": (0.4, 1.0)})
    config.optimizer.update(
        {"name": "sgd", "learning_rate": 0.1 * 512 / 128, "weight_decay": 5e-4, "warmup": "5 epochs"}
    )
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"))
