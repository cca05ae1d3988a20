"""BYOL: predict an EMA network's projection of the other view (Grill et al., arXiv:2006.07733).

jssl pretrain --config configs/byol.py:small,cifar10 --workdir runs/byol

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Muon, heads of 256 and 64 where the
paper has 4,096 and 256, a teacher momentum from 0.99 where the paper has 0.996.

resnet18: lightly's CIFAR-10 benchmark (docs/source/getting_started/benchmarks/cifar10_benchmark.py; published k-NN accuracy
86.8 %): SGD 0.06 x batch / 128, momentum 0.9, weight decay 5e-4, cosine, no blur, heads 1024-256, teacher momentum 0.99. Its
loss is a quarter of ours, so the learning rate is divided and the weight decay multiplied by four.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("byol", data, batch_size=128, steps="5.32 epochs")
    config.method.update({"projector": (256, 64), "predictor": (256, 64)})
    recipes.image(config, augment={"blur": False, "crop_scale": (0.2, 1.0)})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    config.ema.update({"momentum": 0.99, "momentum_end": 1.0})
    return config


def resnet18(data):
    config = recipes.resnet18("byol", data, batch_size=512, epochs=200)
    config.method.update({"projector": (1024, 256), "predictor": (1024, 256)})
    config.optimizer.update({"name": "sgd", "learning_rate": 0.06 * 512 / 128 / 4, "weight_decay": 5e-4 * 4})
    config.ema.update({"momentum": 0.99, "momentum_end": 0.99})
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"))
