"""DINO, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/dino_small_cifar10.py --workdir runs/dino --config.data.source='tar:cifar10/*.tar.gz'

Not yet measured.
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("dino", batch_size=128, steps=1500)
    config.method.update({
        "local_size": 12, "num_local": 2, "global_scale": (0.3, 1.0), "local_scale": (0.05, 0.3),
        "hidden": 512, "bottleneck": 128, "prototypes": 1024, "teacher_temperature": 0.05,
        "teacher_temperature_warmup_steps": 300,
    })  # fmt: skip
    config.augmentation = {"blur": False, "interpolation": "bilinear"}
    config.optimizer.update({"name": "muon", "learning_rate": 4e-3, "weight_decay": 0.02, "warmup_steps": 100})
    config.optimizer.update({"freeze": "last_layer", "freeze_steps": 60})
    config.teacher.update({"momentum": 0.99, "momentum_end": 1.0})
    return config
