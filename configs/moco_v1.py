"""MoCo v1: a linear projection, weaker augmentation and a colder softmax than v2 (He et al., arXiv:1911.05722).

jssl pretrain --config configs/moco_v1.py:small,cifar10 --workdir runs/moco_v1

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Muon, a projection to 64, a queue of
4,096, a warmer softmax (0.1, where the paper has 0.07) and a faster teacher (0.99, where it has 0.999).

resnet18: optimiser and teacher as for MoCo v2 here, with the linear projection, temperature 0.07 and augmentations of
facebookresearch/moco, main_moco.py, and the queue of 4,096 of its CIFAR-10 demo.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("moco_v1", data, batch_size=128, steps="10.2 epochs")
    config.method.update({"temperature": 0.1, "dim": 64, "queue_size": 4096})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "3.34 %"})
    config.ema.update({"momentum": 0.99, "momentum_end": 0.99})
    return config


def resnet18(data):
    config = recipes.resnet18("moco_v1", data, batch_size=512, epochs=200)
    config.method.queue_size = 4096
    recipes.image(config, augment={})  # its own has no blur to turn off
    config.optimizer.update({"name": "sgd", "learning_rate": 0.06 * 512 / 128, "weight_decay": 5e-4})
    config.ema.update({"momentum": 0.99, "momentum_end": 0.99})
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"))
