"""Colorization, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/colorization_resnet18_cifar10.py --workdir runs/colorization \
    --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: bins of 10, five neighbours, sigma 5, half uniform prior: the paper (arXiv:1603.08511), which trains
with Adam at 3e-5 to 3e-6 from scratch on ImageNet; AdamW at 1e-3 here. Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("colorization", batch_size=256, epochs=200)
    epoch = config.steps // 200
    config.augmentation = {"crop_scale": (0.4, 1.0)}
    config.optimizer.update({"name": "adamw", "learning_rate": 1e-3, "weight_decay": 0.01, "warmup_steps": 5 * epoch})
    return config
