"""Relative position: on which of eight sides of one patch does another lie? (Doersch et al., arXiv:1505.05192)

jssl pretrain --config configs/relative_position.py:small,cifar10 --workdir runs/relative_position

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Patches as for resnet18, Muon, a
narrower classifier.

resnet18: the paper (its code: deepcontext, train.py) cuts patches of 96 pixels with gaps of 48 and a jitter of 7 from larger
images; of 32 pixels a 3 x 3 grid leaves room for patches of 8, gaps of 2 and a jitter of 1. The optimiser is that of rotation
here.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("relative_position", data, batch_size=128, steps="22.7 epochs")
    config.method.classifier = (256,)
    recipes.image(config, size=32)  # patches of 8 pixels with gaps of 2 are cut from the whole picture
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "2.5 %"})
    return config


def resnet18(data):
    config = recipes.resnet18("relative_position", data, batch_size=256, epochs=200)
    recipes.image(config, augment={})  # its own has no blur to turn off
    config.optimizer.update({"name": "sgd", "learning_rate": 0.1, "weight_decay": 5e-4, "warmup": "5 epochs"})
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"))
