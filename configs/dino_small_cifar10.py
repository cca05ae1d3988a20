"""DINO, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/dino_small_cifar10.py --workdir runs/dino --config.data.source='tar:cifar10/*.tar.gz'

Not yet measured.
"""

from jssl.config import default_config


def get_config():
    config = default_config()
    config.method = {
        "name": "dino", "local_size": 12, "num_local": 4, "global_scale": (0.3, 1.0), "local_scale": (0.05, 0.3),
        "hidden": 512, "bottleneck": 128, "prototypes": 1024, "teacher_temperature": 0.05,
        "warmup_teacher_temperature": 0.04, "teacher_temperature_warmup_steps": 300,
    }  # fmt: skip
    config.encoder = {"name": "resnet", "stage_sizes": (1, 1, 1, 1), "block": "basic", "width": 16, "stem": "cifar"}
    config.image_size = 24
    config.eval_image_size = 32
    config.augmentation = {"blur": False, "interpolation": "bilinear"}
    config.dtype = "float32"
    config.data.source = "tar:data/cifar10/*.tar.gz"
    config.data.mean, config.data.std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    config.data.batch_size = 256
    config.optimizer.update({
        "name": "adamw", "learning_rate": 2e-3, "weight_decay": 0.04, "warmup_steps": 60, "clip_norm": 3.0,
        "freeze": "last_layer", "freeze_steps": 60,
    })  # fmt: skip
    config.teacher.update({"momentum": 0.99, "momentum_end": 1.0})
    config.steps = 900
    config.run.eval_every = 150
    return config
