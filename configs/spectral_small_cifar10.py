"""Spectral contrastive, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/spectral_small_cifar10.py --workdir runs/spectral --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 56.1 %, linear 58.4 %; the same encoder at random
28.6 % and 34.8 %. RankMe 14 of 128. 2,366 steps of 128 by benchmarks/quality.py took 14.8 minutes on two cores (340
images/s).
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("spectral", batch_size=128, steps=2370)
    config.method.update({"projector": (512, 256)})
    config.augmentation = {"blur": False}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 118})
    return config
