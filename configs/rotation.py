"""Rotation: by how many quarter turns was a picture turned? (Gidaris et al., arXiv:1803.07728)

jssl pretrain --config configs/rotation.py:small,cifar10 --workdir runs/rotation

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Muon, crops of at least 60 % of the
picture.

resnet18: SGD 0.1 at batch 128, Nesterov momentum 0.9, weight decay 5e-4, 200 epochs: the RotNet CIFAR-10 run (the authors'
FeatureLearningRotNet, config/CIFAR10_RotNet_NIN4blocks.py), with warm-up and a cosine in place of its steps, resized crops,
and one rotation per image where it takes all four.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("rotation", data, batch_size=128, steps="12.4 epochs")
    recipes.image(config, augment={"crop_scale": (0.6, 1.0)})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    return config


def resnet18(data):
    config = recipes.resnet18("rotation", data, batch_size=128, epochs=200)
    recipes.image(config, augment={"crop_scale": (0.4, 1.0)})
    config.optimizer.update(
        {"name": "sgd", "learning_rate": 0.1, "weight_decay": 5e-4, "warmup": "5 epochs", "options": {"nesterov": True}}
    )
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"))
