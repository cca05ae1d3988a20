"""Colorization, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/colorization_small_cifar10.py --workdir runs/colorization --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 54.6 %, linear 57.7 %; the same encoder at random
28.6 % and 34.8 %. RankMe 52 of 128. 3,592 steps of 128 by benchmarks/quality.py took 15.2 minutes on two cores (500
images/s).
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("colorization", batch_size=128, steps=3590)
    config.augmentation = {"crop_scale": (0.4, 1.0)}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 180})
    return config
