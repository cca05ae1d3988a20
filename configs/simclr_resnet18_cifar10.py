"""SimCLR, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/simclr_resnet18_cifar10.py --workdir runs/simclr --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: lightly's CIFAR-10 benchmark (docs/source/getting_started/benchmarks/cifar10_benchmark.py; published
k-NN accuracy 84.8 %, after 87 minutes on one GPU): SGD 0.06 x batch / 128, momentum 0.9, weight decay 5e-4, cosine,
batch 512, no blur, temperature 0.5, projector 512-512-128.

Measured on one H200 (jax 0.11): k-NN (k = 20) 85.4 %, linear 86.7 %; the same encoder at random 33.1 % and 40.6 %. 44,300
images/s alone on the card, at which the 200 epochs take 3.8 minutes; the run took 5.7, its last third beside another one.
RankMe 244 of 512. No epoch was chosen: these are the last step's weights.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("simclr", batch_size=512, epochs=200)
    config.method.update({"temperature": 0.5, "projector": (512, 128)})
    config.augmentation = {"strength": 0.5, "blur": False}
    config.optimizer.update({"name": "sgd", "learning_rate": 0.24, "weight_decay": 5e-4})
    return config
