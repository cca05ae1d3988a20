"""Relative patch position, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/relative_position_small_cifar10.py --workdir runs/relative_position \
    --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 40.8 %, linear 47.8 %; the same encoder at random
30.7 % and 34.9 %. RankMe 19 of 128. 8,856 steps of 128 by benchmarks/quality.py took 14.2 minutes on two cores (1339
images/s).
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("relative_position", batch_size=128, steps=8860)
    config.method.update({"classifier": (256,)})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 222})
    config.image_size = 32  # patches of 8 pixels with gaps of 2 are cut from the whole image
    return config
