"""SimSiam: predict the other view's projection and stop its gradient (Chen and He, arXiv:2011.10566).

jssl pretrain --config configs/simsiam.py:small,cifar10 --workdir runs/simsiam

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Muon, a projector of two layers of
256, a predictor with a bottleneck of 64 in proportion.

resnet18: SGD 0.03 x batch / 256, weight decay 5e-4, batch 512, two-layer projector of width 2048: the paper, appendix D
(linear accuracy 91.8 %); constant rate for the predictor: its ImageNet setting (facebookresearch/simsiam, --fix-pred-lr).
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("simsiam", data, batch_size=128, steps="6.66 epochs")
    config.method.update({"projector": (256, 256), "predictor": (64, 256)})
    recipes.image(config, augment={"blur": False})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    config.optimizer.constant_rate = "^predictor"
    return config


def resnet18(data):
    config = recipes.resnet18("simsiam", data, batch_size=512, epochs=800)
    config.method.projector = (2048, 2048)
    config.optimizer.update({"name": "sgd", "learning_rate": 0.03 * 512 / 256, "weight_decay": 5e-4})
    config.optimizer.constant_rate = "^predictor"
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"))
