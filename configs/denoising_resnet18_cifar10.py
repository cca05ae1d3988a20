"""Denoising autoencoder, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/denoising_resnet18_cifar10.py --workdir runs/denoising --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: half of the 4-pixel patches masked; the paper (JMLR 2010) has no convolutional recipe, so optimiser and
decoder are ours. Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("denoising", batch_size=256, epochs=200)
    epoch = config.steps // 200
    config.augmentation = {"crop_scale": (0.4, 1.0)}
    config.optimizer.update({"name": "adamw", "learning_rate": 1e-3, "weight_decay": 0.01, "warmup_steps": 5 * epoch})
    return config
