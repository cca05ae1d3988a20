"""Barlow Twins, ResNet-18, CIFAR-10, 1000 epochs, for one accelerator.

jssl pretrain --config configs/barlow_twins_resnet18_cifar10.py --workdir runs/barlow_twins \
    --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: solo-learn scripts/pretrain/cifar/barlow.yaml (published online linear accuracy 92.10 %): LARS 0.3 at
batch 256, trust 0.02, widths 2048, off-diagonal weight 0.0051. Its loss scale of 0.1 is here a tenth of the rate for
biases and norms, and ten times the weight decay of 1e-4, which is the same under LARS; its clip of the trust ratio
(clip_lr) is left out. Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("barlow_twins", batch_size=256, epochs=1000)
    epoch = config.steps // 1000
    config.method.update({"projector": (2048, 2048, 2048)})
    config.optimizer.update({
        "name": "lars", "learning_rate": 0.3, "weight_decay": 1e-3, "warmup_steps": 10 * epoch,
        "options": {"trust_coefficient": 0.02, "groups": {"(bias|scale)$": 0.1}},
    })  # fmt: skip
    return config
