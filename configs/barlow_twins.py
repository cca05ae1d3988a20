"""Barlow Twins (Zbontar et al., arXiv:2103.03230).

jssl pretrain --config configs/barlow_twins.py:small,cifar10 --workdir runs/barlow_twins

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Muon, a projector of two layers of
512 where the paper has three of 8,192.

resnet18: solo-learn, scripts/pretrain/cifar/barlow.yaml (published online linear accuracy 92.10 %): clipped LARS 0.3 at batch
256, trust 0.02, weight decay 1e-4, widths 2048, off-diagonal weight 0.0051. Its loss is a tenth of ours, so the learning rate
is divided and the weight decay multiplied by ten, which is the same under clipped LARS.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("barlow_twins", data, batch_size=128, steps="6.45 epochs")
    config.method.projector = (512, 512)
    recipes.image(config, augment={"blur": False, "crop_scale": (0.2, 1.0)})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    return config


def resnet18(data):
    config = recipes.resnet18("barlow_twins", data, batch_size=256, epochs=1000)
    config.method.projector = (2048, 2048, 2048)
    config.optimizer.update(
        {
            "name": "larc",
            "learning_rate": 0.3 / 10,
            "weight_decay": 1e-4 * 10,
            "warmup": "10 epochs",
            "options": {"trust_coefficient": 0.02},
        }
    )
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"))
