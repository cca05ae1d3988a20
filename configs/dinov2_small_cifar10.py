"""DINOv2, small ViT with 4-pixel patches, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/dinov2_small_cifar10.py --workdir runs/dinov2 --config.data.source='tar:cifar10/*.tar.gz'

Not yet measured on CIFAR-10, and weak on the synthetic shapes: online k-NN 26.7 % after a minute (untrained about 24 %). Single
runs of 300 steps of 64 with patches of 8, no local crops, batch norm in the head, 1,024 prototypes and Sinkhorn centering: 34.1 %
at a teacher temperature of 0.02, 26.6 % at 0.01 with teacher momentum 0.9 (untrained not measured).
"""

from jssl.recipes import small_vit_cifar10


def get_config():
    config = small_vit_cifar10("dinov2", batch_size=128, steps=700)
    config.method.update({
        "local_size": 16, "num_local": 2, "global_scale": (0.3, 1.0), "local_scale": (0.05, 0.3),
        "hidden": 256, "bottleneck": 64, "prototypes": 512, "teacher_temperature": 0.06, "teacher_temperature_warmup_steps": 300,
    })  # fmt: skip
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 100})
    config.encoder.update({"class_token": True, "pool": "token"})
    config.augmentation = {"blur": False, "interpolation": "bilinear"}
    config.teacher.update({"momentum": 0.99, "momentum_end": 1.0})
    return config
