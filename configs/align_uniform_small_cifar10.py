"""Alignment and uniformity, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/align_uniform_small_cifar10.py --workdir runs/au --config.data.source='tar:cifar10/*.tar.gz'

Not yet measured.
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("align_uniform", batch_size=128, steps=2000)
    config.method.update({"projector": (256, 64)})
    config.augmentation = {"crop_scale": (0.2, 1.0)}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 100})
    return config
