"""Jigsaw puzzles: which permutation shuffled the tiles? (Noroozi and Favaro, arXiv:1603.09246)

jssl pretrain --config configs/jigsaw.py:small,cifar10 --workdir runs/jigsaw

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Muon, 64 permutations.

resnet18: the paper uses 225-pixel images, tiles of 64 from cells of 75, and 1,000 permutations (second-hand:
JigsawPuzzlePytorch); tiles of 8 from cells of 10 are about in proportion, the optimiser is that of rotation here (the
authors' JigsawPuzzleSolver: SGD 0.01 in steps, weight decay 5e-4).
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("jigsaw", data, batch_size=128, steps="5.07 epochs")
    config.method.update({"num_permutations": 64, "classifier": (256,)})
    recipes.image(config, size=32)  # nine tiles of 8 pixels from cells of 10
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    return config


def resnet18(data):
    config = recipes.resnet18("jigsaw", data, batch_size=256, epochs=200)
    config.method.num_permutations = 1000
    recipes.image(config, augment={})  # its own has no blur to turn off
    config.optimizer.update({"name": "sgd", "learning_rate": 0.1, "weight_decay": 5e-4, "warmup": "5 epochs"})
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"))
