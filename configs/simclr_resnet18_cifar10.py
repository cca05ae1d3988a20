"""SimCLR, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/simclr_resnet18_cifar10.py --workdir runs/simclr --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: SGD, learning rate 0.06 x batch / 128, momentum 0.9, weight decay 5e-4, cosine, batch 512, temperature 0.5,
projector 512-512-128, no blur: the CIFAR-10 benchmark of lightly (its published k-NN accuracy is 84.8 %). Not yet measured here.
"""

from jssl.config import default_config


def get_config():
    config = default_config()
    config.method = {"name": "simclr", "temperature": 0.5, "projector": (512, 128)}
    config.encoder = {"name": "resnet18", "stem": "cifar"}
    config.augmentation = {"strength": 0.5, "blur": False}
    config.data.source = "tar:data/cifar10/*.tar.gz"
    config.data.mean, config.data.std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    config.data.batch_size = 512
    config.steps = 200 * 50_000 // 512
    config.optimizer.update(
        {"name": "sgd", "learning_rate": 0.24, "weight_decay": 5e-4, "warmup_steps": 10 * 50_000 // 512}
    )
    config.run.update({"eval_every": 2000, "checkpoint_every": 2000})
    return config
