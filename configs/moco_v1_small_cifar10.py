"""MoCo v1, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/moco_v1_small_cifar10.py --workdir runs/moco_v1 --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 63.0 %, linear 61.6 %; the same encoder at random
28.6 % and 34.8 %. RankMe 63 of 128. 3,979 steps of 128 by benchmarks/quality.py took 14.7 minutes on two cores (580
images/s).
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("moco_v1", batch_size=128, steps=3980)
    config.method.update({"temperature": 0.1, "dim": 64, "queue_size": 4096})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 133})
    config.teacher.update({"momentum": 0.99, "momentum_end": 0.99})
    return config
