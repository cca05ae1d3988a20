"""MoCo v2, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/moco_small_cifar10.py --workdir runs/moco --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 59.4 %, linear 60.5 %; the same encoder at random
28.6 % and 34.8 %. RankMe 54 of 128. 2,184 steps of 128 by benchmarks/quality.py took 14.7 minutes on two cores (318
images/s).
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("moco", batch_size=128, steps=2180)
    config.method.update({"temperature": 0.2, "projector": (256, 64), "queue_size": 4096, "symmetric": True})
    config.augmentation = {"blur": False}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 109})
    config.teacher.update({"momentum": 0.99, "momentum_end": 0.99})
    return config
