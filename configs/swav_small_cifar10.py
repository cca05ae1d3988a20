"""SwAV, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/swav_small_cifar10.py --workdir runs/swav --config.data.source='tar:cifar10/*.tar.gz'

Not yet measured on CIFAR-10, and weak on the synthetic shapes: online k-NN 39.8 % after 360 steps (prototypes frozen for 20,
40 of warmup), where the untrained encoder has 33.1 % with the full bank. Single runs that were worse: 23.1 % after 457 steps with
two small crops, 256 prototypes, epsilon 0.05 and a queue; 22.3 % with frozen prototypes and crops from 0.3; 21.1 % at colour
strength 1 (frozen for 10, warmup 20).
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("swav", batch_size=128, steps=1500)
    config.method.update({
        "num_local": 0, "global_scale": (0.2, 1.0), "projector": (256, 64), "prototypes": 64, "epsilon": 0.03,
    })  # fmt: skip
    config.augmentation = {"strength": 0.5, "blur": False}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 100})
    config.optimizer.update({"freeze": "^prototypes", "freeze_steps": 100})
    return config
