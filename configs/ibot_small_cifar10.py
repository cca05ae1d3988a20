"""iBOT, small ViT with 4-pixel patches, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/ibot_small_cifar10.py --workdir runs/ibot --config.data.source='tar:cifar10/*.tar.gz'

Not yet measured on CIFAR-10, and it does not learn the synthetic shapes: online k-NN 14.8 % after a minute (untrained about
24 %). Single runs with batches of 64, no local crops, a mean pool and batch norm in the head: 14.6 % (patches of 8) and 18.2 %
(crops of 24 pixels; RankMe 7) after 300 and 200 steps at learning rates 1.5e-3 and 1e-3, 12.6 % at 5e-3 with a
teacher temperature of 0.02; the untrained encoders of these were not measured.
"""

from jssl.recipes import small_vit_cifar10


def get_config():
    config = small_vit_cifar10("ibot", batch_size=128, steps=700)
    config.method.update({
        "local_size": 16, "num_local": 2, "global_scale": (0.3, 1.0), "local_scale": (0.05, 0.3),
        "hidden": 256, "bottleneck": 64, "prototypes": 512, "teacher_temperature": 0.06, "teacher_temperature_warmup_steps": 300,
    })  # fmt: skip
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 100})
    config.encoder.update({"class_token": True, "pool": "token"})
    config.augmentation = {"blur": False, "interpolation": "bilinear"}
    config.optimizer.update({"freeze": "last_layer", "freeze_steps": 60})
    config.teacher.update({"momentum": 0.99, "momentum_end": 1.0})
    return config
