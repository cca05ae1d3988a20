"""BYOL, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/byol_resnet18_cifar10.py --workdir runs/byol --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: SGD, learning rate 0.06 x batch / 128, momentum 0.9, weight decay 5e-4, cosine, batch 512, no blur: the
CIFAR-10 benchmark of lightly, projector 1024-256, predictor 1024-256, momentum 0.99 to 1 (its published k-NN accuracy
is 86.8 %). Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("byol", batch_size=512, epochs=200)
    epoch = config.steps // 200
    config.method.update({"projector": (1024, 256), "predictor": (1024, 256)})
    config.optimizer.update({"name": "sgd", "learning_rate": 0.24, "weight_decay": 5e-4, "warmup_steps": 10 * epoch})
    config.teacher.update({"momentum": 0.99, "momentum_end": 1.0})
    return config
