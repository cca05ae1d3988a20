"""BYOL, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/byol_small_cifar10.py --workdir runs/byol --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 52.1 %, linear 54.8 %; the same encoder at random
28.6 % and 34.8 %. RankMe 46 of 128. 2,076 steps of 128 by benchmarks/quality.py took 15.3 minutes on two cores (287
images/s).
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("byol", batch_size=128, steps=2080)
    config.method.update({"projector": (256, 64), "predictor": (256, 64)})
    config.augmentation = {"blur": False, "crop_scale": (0.2, 1.0)}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 104})
    config.teacher.update({"momentum": 0.99, "momentum_end": 1.0})
    return config
