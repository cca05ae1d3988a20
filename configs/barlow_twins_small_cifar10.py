"""Barlow Twins, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/barlow_twins_small_cifar10.py --workdir runs/barlow_twins --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 61.0 %, linear 63.3 %; the same encoder at random
28.6 % and 34.8 %. RankMe 59 of 128. 2,515 steps of 128 by benchmarks/quality.py took 15.6 minutes on two cores (346
images/s).
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("barlow_twins", batch_size=128, steps=2520)
    config.method.update({"projector": (512, 512)})
    config.augmentation = {"blur": False, "crop_scale": (0.2, 1.0)}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 126})
    return config
