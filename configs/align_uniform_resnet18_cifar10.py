"""Alignment and uniformity, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/align_uniform_resnet18_cifar10.py --workdir runs/au --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: the authors' STL-10 run (align_uniform, examples/stl10/main.py): SGD 0.12 x batch / 256, momentum 0.9, weight
decay 1e-4, one linear layer to 128, exponent 2, t = 2, equal weights, jitter of 0.4 in all four ways. Theirs is an AlexNet at
batch 768 whose learning rate drops tenfold at epochs 155, 170 and 185; here it follows a cosine. Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("align_uniform", batch_size=512, epochs=200)
    config.augmentation = {}  # its own has no blur
    config.optimizer.update({"name": "sgd", "learning_rate": 0.24, "weight_decay": 1e-4})
    return config
