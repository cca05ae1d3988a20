"""MoCo v2, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/moco_resnet18_cifar10.py --workdir runs/moco --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: lightly's CIFAR-10 benchmark (docs/source/getting_started/benchmarks/cifar10_benchmark.py; published
k-NN accuracy 84.7 %): SGD 0.06 x batch / 128, momentum 0.9, weight decay 5e-4, cosine, batch 512, no blur, temperature
0.1, queue 8,192 at this batch, symmetric. Its batch norm has eight splits, ours the whole batch. Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("moco", batch_size=512, epochs=200)
    config.method.update({"temperature": 0.1, "projector": (512, 128), "queue_size": 8192, "symmetric": True})
    config.augmentation = {"blur": False, "crop_scale": (0.08, 1.0)}
    config.optimizer.update({"name": "sgd", "learning_rate": 0.24, "weight_decay": 5e-4})
    config.teacher.update({"momentum": 0.99, "momentum_end": 0.99})
    return config
