"""Relative patch position, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/relative_position_resnet18_cifar10.py --workdir runs/relative_position \
    --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: the paper (arXiv:1505.05192; its code: deepcontext, train.py) cuts patches of 96 pixels with gaps of 48
and a jitter of 7 from larger images; of 32 pixels a 3 x 3 grid leaves room for patches of 8, gaps of 2 and a jitter of
1. The optimiser is that of rotation here. Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("relative_position", batch_size=256, epochs=200)
    epoch = config.steps // 200
    config.augmentation = {}
    config.optimizer.update({"name": "sgd", "learning_rate": 0.1, "weight_decay": 5e-4, "warmup_steps": 5 * epoch})
    return config
