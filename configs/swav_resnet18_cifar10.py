"""SwAV, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/swav_resnet18_cifar10.py --workdir runs/swav --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: lightly's CIFAR-10 benchmark (docs/source/getting_started/benchmarks/cifar10_benchmark.py; published
k-NN accuracy 84.2 %): Adam 1e-3 x batch / 128, weight decay 1e-6 (decoupled here), cosine, batch 512, no blur, 512
prototypes, two crops and no local ones. Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("swav", batch_size=512, epochs=200)
    config.method.update({"num_local": 0, "projector": (512, 128), "prototypes": 512})
    config.augmentation = {"strength": 0.5, "blur": False}
    config.optimizer.update({"name": "adamw", "learning_rate": 4e-3, "weight_decay": 1e-6})
    return config
