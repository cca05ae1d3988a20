"""Jigsaw puzzles, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/jigsaw_resnet18_cifar10.py --workdir runs/jigsaw --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: the paper uses 225-pixel images, tiles of 64 from cells of 75 (arXiv:1603.09246) and 1,000 permutations
(second-hand: JigsawPuzzlePytorch); tiles of 8 from cells of 10 are about in proportion, the optimiser is that of
rotation here (the authors' JigsawPuzzleSolver: SGD 0.01 in steps, weight decay 5e-4). Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("jigsaw", batch_size=256, epochs=200)
    epoch = config.steps // 200
    config.method.update({"num_permutations": 1000})
    config.augmentation = {}
    config.optimizer.update({"name": "sgd", "learning_rate": 0.1, "weight_decay": 5e-4, "warmup_steps": 5 * epoch})
    return config
