"""Spectral contrastive, ResNet-18, CIFAR-10, 800 epochs, for one accelerator.

jssl pretrain --config configs/spectral_resnet18_cifar10.py --workdir runs/spectral --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: SGD 0.03 x batch / 256, weight decay 5e-4, batch 512, widths 2048 and 1000, mu = 1: the authors'
spectral_contrastive_learning, configs/spectral_resnet_mlp1000_norelu_cifar10_lr003_mu1.yaml. Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("spectral", batch_size=512, epochs=800)
    epoch = config.steps // 800
    config.method.update({"projector": (2048, 1000)})
    config.optimizer.update({"name": "sgd", "learning_rate": 0.06, "weight_decay": 5e-4, "warmup_steps": 10 * epoch})
    return config
