"""MoCo v3, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/moco_v3_small_cifar10.py --workdir runs/moco_v3 --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 57.3 %, linear 58.7 %; the same encoder at random
28.6 % and 34.8 %. RankMe 50 of 128. 2,209 steps of 128 by benchmarks/quality.py took 15.3 minutes on two cores (305
images/s).
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("moco_v3", batch_size=128, steps=2210)
    config.method.update({"temperature": 0.2, "projector": (256, 64), "predictor": (256, 64)})
    config.augmentation = {"blur": False, "crop_scale": (0.2, 1.0)}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 110})
    config.teacher.update({"momentum": 0.99, "momentum_end": 1.0})
    return config
