"""Jigsaw puzzles, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/jigsaw_small_cifar10.py --workdir runs/jigsaw --config.data.source='tar:cifar10/*.tar.gz'

Not yet measured.
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("jigsaw", batch_size=128, steps=2000)
    config.method.update({"num_permutations": 64, "classifier": (256,)})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 100})
    config.image_size = 32  # nine tiles of 8 pixels from cells of 10
    return config
