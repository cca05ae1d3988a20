"""SupCon, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/sup_con_resnet18_cifar10.py --workdir runs/sup_con --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: as for SimCLR here, with temperature 0.1 and a warm-up of 10 epochs as in the authors' SupContrast
(which trains ResNet-50 for 1,000 epochs at batch 1,024, learning rate 0.5, weight decay 1e-4). Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("sup_con", batch_size=512, epochs=200)
    epoch = config.steps // 200
    config.method.update({"projector": (512, 128)})
    config.augmentation = {"strength": 0.5, "blur": False}
    config.optimizer.update({"name": "sgd", "learning_rate": 0.24, "weight_decay": 5e-4, "warmup_steps": 10 * epoch})
    return config
