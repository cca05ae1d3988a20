"""MoCo v1, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/moco_v1_resnet18_cifar10.py --workdir runs/moco_v1 --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: optimiser and teacher as for MoCo v2 here, with the linear projection, temperature 0.07 and
augmentations of facebookresearch/moco, main_moco.py, and the queue of 4,096 of its CIFAR-10 demo. Not yet measured
here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("moco_v1", batch_size=512, epochs=200)
    config.method.update({"queue_size": 4096})
    config.augmentation = {}
    config.optimizer.update({"name": "sgd", "learning_rate": 0.24, "weight_decay": 5e-4})
    config.teacher.update({"momentum": 0.99, "momentum_end": 0.99})
    return config
