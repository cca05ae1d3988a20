"""MoCo v2, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/moco_small_cifar10.py --workdir runs/moco --config.data.source='tar:cifar10/*.tar.gz'

Not yet measured.
"""

from jssl.config import default_config


def get_config():
    config = default_config()
    config.method = {
        "name": "moco", "temperature": 0.2, "projector": (256, 64), "queue_size": 4096, "symmetric": True,
    }  # fmt: skip
    config.encoder = {"name": "resnet", "stage_sizes": (1, 1, 1, 1), "block": "basic", "width": 16, "stem": "cifar"}
    config.image_size = 24
    config.eval_image_size = 32
    config.augmentation = {"blur": False}
    config.dtype = "float32"
    config.data.source = "tar:data/cifar10/*.tar.gz"
    config.data.mean, config.data.std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    config.data.batch_size = 256
    config.optimizer.update({"name": "adamw", "learning_rate": 3e-3, "weight_decay": 0.02, "warmup_steps": 60})
    config.teacher.update({"momentum": 0.99, "momentum_end": 0.99})
    config.steps = 1200
    config.run.eval_every = 200
    return config
