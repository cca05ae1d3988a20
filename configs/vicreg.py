"""VICReg: equal embeddings of two views, variance in every dimension, none alike (Bardes et al., arXiv:2105.04906).

jssl pretrain --config configs/vicreg.py:small,cifar10 --workdir runs/vicreg

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Muon, an expander of two layers of
512 where the paper has three of 8,192.

resnet18: solo-learn, scripts/pretrain/cifar/vicreg.yaml (published online linear accuracy 92.07 %): clipped LARS 0.3 at batch
256, trust 0.02, weight decay 1e-4, widths 2048, weights 25, 25 and 1 with a variance term that is twice ours, so 50 here.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("vicreg", data, batch_size=128, steps="6.12 epochs")
    config.method.projector = (512, 512)
    recipes.image(config, augment={"blur": False, "crop_scale": (0.2, 1.0)})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    return config


def resnet18(data):
    config = recipes.resnet18("vicreg", data, batch_size=256, epochs=1000)
    config.method.update({"projector": (2048, 2048, 2048), "variance": 50.0})
    recipes.image(config, augment={"blur": False, "crop_scale": (0.2, 1.0), "solarize_prob": 0.1})
    config.optimizer.update(
        {
            "name": "larc",
            "learning_rate": 0.3,
            "weight_decay": 1e-4,
            "warmup": "10 epochs",
            "options": {"trust_coefficient": 0.02},
        }
    )
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"))
