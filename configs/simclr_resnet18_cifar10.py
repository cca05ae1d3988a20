"""SimCLR, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/simclr_resnet18_cifar10.py --workdir runs/simclr --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: lightly's CIFAR-10 benchmark (docs/source/getting_started/benchmarks/cifar10_benchmark.py; published
k-NN accuracy 84.8 %, after 87 minutes on one GPU): SGD 0.06 x batch / 128, momentum 0.9, weight decay 5e-4, cosine,
batch 512, no blur, temperature 0.5, projector 512-512-128. Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("simclr", batch_size=512, epochs=200)
    config.method.update({"temperature": 0.5, "projector": (512, 128)})
    config.augmentation = {"strength": 0.5, "blur": False}
    config.optimizer.update({"name": "sgd", "learning_rate": 0.24, "weight_decay": 5e-4})
    return config
