"""SimSiam, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/simsiam_small_cifar10.py --workdir runs/simsiam --config.data.source='tar:cifar10/*.tar.gz'

Not yet measured.
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("simsiam", batch_size=128, steps=2000)
    config.method.update({"projector": (256, 256), "predictor": (64, 256)})
    config.augmentation = {"blur": False}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 100})
    config.optimizer.constant_rate = "^predictor"
    return config
