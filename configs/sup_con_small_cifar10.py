"""SupCon (supervised contrastive), small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/sup_con_small_cifar10.py --workdir runs/sup_con --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: with labels: k-NN (k=20) 77.2 %, linear 78.4 %; the same
encoder at random 28.6 % and 34.8 %. RankMe 64 of 128. 2,719 steps of 128 by benchmarks/quality.py took 15.5 minutes on
two cores (381 images/s).
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("sup_con", batch_size=128, steps=2720)
    config.method.update({"temperature": 0.1, "projector": (256, 64)})
    config.augmentation = {"strength": 0.5, "blur": False, "crop_scale": (0.2, 1.0)}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 136})
    return config
