"""MoCo v2: a query attracts the EMA encoder's key and repels a queue of past keys (Chen et al., arXiv:2003.04297).

jssl pretrain --config configs/moco.py:small,cifar10 --workdir runs/moco

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Muon, a narrow projector, a queue of
4,096, a symmetric loss, a faster teacher (0.99, where the paper has 0.999).

resnet18: lightly's CIFAR-10 benchmark (docs/source/getting_started/benchmarks/cifar10_benchmark.py; published k-NN accuracy
84.7 %): SGD 0.06 x batch / 128, momentum 0.9, weight decay 5e-4, cosine, batch 512, no blur, temperature 0.1, queue 8,192 at
this batch, symmetric. Its batch norm has eight splits, ours the whole batch.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("moco", data, batch_size=128, steps="5.58 epochs")
    config.method.update({"temperature": 0.2, "projector": (256, 64), "queue_size": 4096, "symmetric": True})
    recipes.image(config, augment={"blur": False})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    config.ema.update({"momentum": 0.99, "momentum_end": 0.99})
    return config


def resnet18(data):
    config = recipes.resnet18("moco", data, batch_size=512, epochs=200)
    config.method.update({"temperature": 0.1, "projector": (512, 128), "queue_size": 8192, "symmetric": True})
    recipes.image(config, augment={"blur": False, "crop_scale": (0.08, 1.0)})
    config.optimizer.update({"name": "sgd", "learning_rate": 0.06 * 512 / 128, "weight_decay": 5e-4})
    config.ema.update({"momentum": 0.99, "momentum_end": 0.99})
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"))
