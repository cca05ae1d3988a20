"""Jigsaw puzzles, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/jigsaw_resnet18_cifar10.py --workdir runs/jigsaw --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: the paper uses 225-pixel images, tiles of 64 from cells of 75, and 1,000 permutations
(arXiv:1603.09246); tile and cell are in proportion to 32 pixels, the optimiser is that of rotation here. Not yet
measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("jigsaw", batch_size=256, epochs=200)
    epoch = config.steps // 200
    config.method.update({"num_permutations": 1000})
    config.augmentation = {}
    config.optimizer.update({"name": "sgd", "learning_rate": 0.1, "weight_decay": 5e-4, "warmup_steps": 5 * epoch})
    return config
