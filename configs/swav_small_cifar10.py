"""SwAV, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/swav_small_cifar10.py --workdir runs/swav --config.data.source='tar:cifar10/*.tar.gz'

Not yet measured.
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("swav", batch_size=128, steps=1500)
    config.method.update({
        "local_size": 12, "num_local": 2, "global_scale": (0.3, 1.0), "local_scale": (0.05, 0.3), "projector": (256, 64),
        "prototypes": 256, "queue_size": 1024, "queue_start": 500,
    })  # fmt: skip
    config.augmentation = {"strength": 0.5, "blur": False}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 100})
    config.optimizer.update({"freeze": "^prototypes", "freeze_steps": 100})
    return config
