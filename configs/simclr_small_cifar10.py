"""SimCLR, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/simclr_small_cifar10.py --workdir runs/simclr --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 64.4 %, linear 66.5 %; the same encoder at random
28.6 % and 34.8 %. RankMe 54 of 128. 2,661 steps of 128 by benchmarks/quality.py took 15.5 minutes on two cores (366
images/s). With AdamW, 1,600 steps of 256 reached 58.3 % k-NN.
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("simclr", batch_size=128, steps=2660)
    config.method.update({"temperature": 0.2, "projector": (256, 64)})
    config.augmentation = {"strength": 0.5, "blur": False, "crop_scale": (0.2, 1.0)}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 111})
    return config
