"""SwAV, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/swav_resnet18_cifar10.py --workdir runs/swav --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: SGD, learning rate 0.06 x batch / 128, momentum 0.9, weight decay 5e-4, cosine, batch 512, no blur: the
CIFAR-10 benchmark of lightly, 512 prototypes, two crops and six of half the size (its published k-NN accuracy is 84.2
%); a queue is not needed at this size. Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("swav", batch_size=512, epochs=200)
    epoch = config.steps // 200
    config.method.update({"local_size": 16, "projector": (512, 128), "prototypes": 512})
    config.augmentation = {"strength": 0.5, "blur": False}
    config.optimizer.update({
        "name": "sgd", "learning_rate": 0.24, "weight_decay": 5e-4, "warmup_steps": 10 * epoch,
        "freeze": "^prototypes", "freeze_steps": epoch,
    })  # fmt: skip
    return config
