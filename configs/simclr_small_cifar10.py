"""SimCLR, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/simclr_small_cifar10.py --workdir runs/simclr --config.data.source='tar:cifar10/*.tar.gz'

Measured: k-NN (k=20, all 50,000 training images) 58.3 % on the test set; the same encoder at random 28.6 %, raw pixels
45.9 %. RankMe 51 of 128. 1,600 steps of 256 took 34 minutes on two cores shared with other work (333 images/s, median);
at the 438 images/s it reached when it had most of them it is 16 minutes.
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("simclr", batch_size=256, steps=1600)
    config.method.update({"temperature": 0.2, "projector": (256, 64)})
    config.augmentation = {"strength": 0.5, "blur": False, "crop_scale": (0.2, 1.0)}
    config.optimizer.update({"name": "adamw", "learning_rate": 3e-3, "weight_decay": 0.02, "warmup_steps": 60})
    return config
