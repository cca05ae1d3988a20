"""MoCo v2, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/moco_resnet18_cifar10.py --workdir runs/moco --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: SGD, learning rate 0.06 x batch / 128, momentum 0.9, weight decay 5e-4, cosine, batch 512, no blur: the
CIFAR-10 benchmark of lightly, temperature 0.1, queue 4,096, symmetric (its published k-NN accuracy is 84.7 %). Not yet
measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("moco", batch_size=512, epochs=200)
    config.method.update({"temperature": 0.1, "projector": (512, 128), "queue_size": 4096, "symmetric": True})
    config.optimizer.update({"name": "sgd", "learning_rate": 0.24, "weight_decay": 5e-4})
    config.teacher.update({"momentum": 0.99, "momentum_end": 0.99})
    return config
