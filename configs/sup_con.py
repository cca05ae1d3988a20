"""SupCon (supervised contrastive): SimCLR told the labels (Khosla et al., arXiv:2004.11362).

jssl pretrain --config configs/sup_con.py:small,cifar10 --workdir runs/sup_con

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. As for SimCLR here, with the paper's
temperature of 0.1.

resnet18: as for SimCLR here, with temperature 0.1 and a warm-up of 10 epochs as in the authors' SupContrast (which trains
ResNet-50 for 1,000 epochs at batch 1,024, learning rate 0.5, weight decay 1e-4).
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("sup_con", data, batch_size=128, steps="6.96 epochs")
    config.method.update({"temperature": 0.1, "projector": (256, 64)})
    recipes.image(config, augment={"strength": 0.5, "blur": False, "crop_scale": (0.2, 1.0)})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    return config


def resnet18(data):
    config = recipes.resnet18("sup_con", data, batch_size=512, epochs=200)
    config.method.projector = (512, 128)
    recipes.image(config, augment={"strength": 0.5, "blur": False})
    config.optimizer.update(
        {"name": "sgd", "learning_rate": 0.06 * 512 / 128, "weight_decay": 5e-4, "warmup": "10 epochs"}
    )
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"))
