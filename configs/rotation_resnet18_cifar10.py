"""Rotation prediction, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/rotation_resnet18_cifar10.py --workdir runs/rotation --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: SGD 0.1 at batch 128, Nesterov momentum 0.9, weight decay 5e-4, 200 epochs: the RotNet CIFAR-10 run
(the authors' FeatureLearningRotNet, config/CIFAR10_RotNet_NIN4blocks.py), with warm-up and a cosine in place of its
steps, resized crops, and one rotation per image where it takes all four. Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("rotation", batch_size=128, epochs=200)
    epoch = config.steps // 200
    config.augmentation = {"crop_scale": (0.4, 1.0)}
    config.optimizer.update(
        {
            "name": "sgd",
            "learning_rate": 0.1,
            "weight_decay": 5e-4,
            "warmup_steps": 5 * epoch,
            "options": {"nesterov": True},
        }
    )
    return config
