"""Alignment and uniformity (Wang and Isola, arXiv:2005.10242).

jssl pretrain --config configs/align_uniform.py:small,cifar10 --workdir runs/align_uniform

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Muon, a two-layer head where the
paper has one linear layer, crops of at least 20 % of the picture.

resnet18: the authors' STL-10 run (align_uniform, examples/stl10/main.py): SGD 0.12 x batch / 256, momentum 0.9, weight decay
1e-4, one linear layer to 128, exponent 2, t = 2, equal weights, jitter of 0.4 in all four ways. Theirs is an AlexNet at batch
768 whose learning rate drops tenfold at epochs 155, 170 and 185; here it follows a cosine.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("align_uniform", data, batch_size=128, steps="5.76 epochs")
    config.method.projector = (256, 64)
    recipes.image(config, augment={"crop_scale": (0.2, 1.0)})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    return config


def resnet18(data):
    config = recipes.resnet18("align_uniform", data, batch_size=512, epochs=200)
    recipes.image(config, augment={})  # its own has no blur to turn off
    config.optimizer.update({"name": "sgd", "learning_rate": 0.12 * 512 / 256, "weight_decay": 1e-4})
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"))
