"""Rotation prediction, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/rotation_small_cifar10.py --workdir runs/rotation --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 58.0 %, linear 58.7 %; the same encoder at random
28.6 % and 34.8 %. RankMe 67 of 128. 4,832 steps of 128 by benchmarks/quality.py took 14.2 minutes on two cores (731
images/s).
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("rotation", batch_size=128, steps=4830)
    config.augmentation = {"crop_scale": (0.6, 1.0)}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 241})
    return config
