"""Supervised baseline, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/supervised_resnet18_cifar10.py --workdir runs/supervised --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: SGD 0.1 x batch / 128, momentum 0.9, weight decay 5e-4, crops of at least 40 % of the image: common
practice. Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("supervised", batch_size=512, epochs=200)
    epoch = config.steps // 200
    config.augmentation = {"crop_scale": (0.4, 1.0)}
    config.optimizer.update({"name": "sgd", "learning_rate": 0.4, "weight_decay": 5e-4, "warmup_steps": 5 * epoch})
    return config
