"""MoCo v2, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/moco_resnet18_cifar10.py --workdir runs/moco --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: SGD, learning rate 0.06 x batch / 128, momentum 0.9, weight decay 5e-4, cosine, batch 512, temperature 0.1,
queue 4,096, symmetric, no blur: the CIFAR-10 benchmark of lightly (its published k-NN accuracy is 84.7 %). Not yet measured here.
"""

from jssl.config import default_config


def get_config():
    config = default_config()
    config.method = {
        "name": "moco", "temperature": 0.1, "projector": (512, 128), "queue_size": 4096, "symmetric": True,
    }  # fmt: skip
    config.encoder = {"name": "resnet18", "stem": "cifar"}
    config.augmentation = {"blur": False}
    config.data.source = "tar:data/cifar10/*.tar.gz"
    config.data.mean, config.data.std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    config.data.batch_size = 512
    config.steps = 200 * 50_000 // 512
    config.optimizer.update({"name": "sgd", "learning_rate": 0.24, "weight_decay": 5e-4})
    config.teacher.update({"momentum": 0.99, "momentum_end": 0.99})
    config.run.update({"eval_every": 2000, "checkpoint_every": 2000})
    return config
