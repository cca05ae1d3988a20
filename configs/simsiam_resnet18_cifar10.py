"""SimSiam, ResNet-18, CIFAR-10, 800 epochs, for one accelerator.

jssl pretrain --config configs/simsiam_resnet18_cifar10.py --workdir runs/simsiam --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: SGD 0.03 x batch / 256, weight decay 5e-4, batch 512, two-layer projector of width 2048: the SimSiam
paper, appendix D (arXiv:2011.10566; linear accuracy 91.8 %); constant rate for the predictor: its ImageNet setting
(facebookresearch/simsiam, --fix-pred-lr). Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("simsiam", batch_size=512, epochs=800)
    config.method.update({"projector": (2048, 2048)})
    config.optimizer.update({"name": "sgd", "learning_rate": 0.06, "weight_decay": 5e-4, "constant_rate": "^predictor"})
    return config
