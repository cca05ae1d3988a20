"""Supervised baseline, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/supervised_small_cifar10.py --workdir runs/supervised --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: with labels: k-NN (k=20) 82.9 %, linear 84.3 %; the same
encoder at random 28.6 % and 34.8 %. RankMe 68 of 128. 5,147 steps of 128 by benchmarks/quality.py took 15.0 minutes on
two cores (728 images/s).
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("supervised", batch_size=128, steps=5150)
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 258})
    return config
