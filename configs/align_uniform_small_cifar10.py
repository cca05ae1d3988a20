"""Alignment and uniformity, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/align_uniform_small_cifar10.py --workdir runs/au --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 61.1 %, linear 63.1 %; the same encoder at random
28.6 % and 34.8 %. RankMe 53 of 128. 2,247 steps of 128 by benchmarks/quality.py took 14.7 minutes on two cores (333
images/s).
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("align_uniform", batch_size=128, steps=2250)
    config.method.update({"projector": (256, 64)})
    config.augmentation = {"crop_scale": (0.2, 1.0)}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 112})
    return config
