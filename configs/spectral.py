"""Spectral contrastive learning: positives up, squared inner products of all other pairs down (HaoChen et al., arXiv:2106.04156).

jssl pretrain --config configs/spectral.py:small,cifar10 --workdir runs/spectral

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Muon, widths 512 and 256.

resnet18: SGD 0.03 x batch / 256, weight decay 5e-4, batch 512, widths 2048 and 1000, mu = 1: the authors'
spectral_contrastive_learning, configs/spectral_resnet_mlp1000_norelu_cifar10_lr003_mu1.yaml.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("spectral", data, batch_size=128, steps="6.07 epochs")
    config.method.projector = (512, 256)
    recipes.image(config, augment={"blur": False})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    return config


def resnet18(data):
    config = recipes.resnet18("spectral", data, batch_size=512, epochs=800)
    config.method.projector = (2048, 1000)
    config.optimizer.update(
        {"name": "sgd", "learning_rate": 0.03 * 512 / 256, "weight_decay": 5e-4, "warmup": "10 epochs"}
    )
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"))
