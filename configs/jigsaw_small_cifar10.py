"""Jigsaw puzzles, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/jigsaw_small_cifar10.py --workdir runs/jigsaw --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 37.3 %, linear 44.6 %; the same encoder at random
30.7 % and 34.9 %. RankMe 20 of 128. 1,979 steps of 128 by benchmarks/quality.py took 13.7 minutes on two cores (315
images/s).
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("jigsaw", batch_size=128, steps=1980)
    config.method.update({"num_permutations": 64, "classifier": (256,)})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 99})
    config.image_size = 32  # nine tiles of 8 pixels from cells of 10
    return config
