"""Colorization, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/colorization_resnet18_cifar10.py --workdir runs/colorization \
    --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: bins of 10, five neighbours, sigma 5, half uniform prior: the paper (arXiv:1603.08511; its code
takes ten neighbours). The authors train with Adam from 3e-5 and weight decay 1e-3 on ImageNet (their
train/solver.prototxt); AdamW at 1e-3 and 0.01 here. Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("colorization", batch_size=256, epochs=200)
    epoch = config.steps // 200
    config.augmentation = {"crop_scale": (0.4, 1.0)}
    config.optimizer.update({"name": "adamw", "learning_rate": 1e-3, "weight_decay": 0.01, "warmup_steps": 5 * epoch})
    return config
