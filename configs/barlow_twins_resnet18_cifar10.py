"""Barlow Twins, ResNet-18, CIFAR-10, 1000 epochs, for one accelerator.

jssl pretrain --config configs/barlow_twins_resnet18_cifar10.py --workdir runs/barlow_twins \
    --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: solo-learn scripts/pretrain/cifar/barlow.yaml (published online linear accuracy 92.10 %): clipped LARS
0.3 at batch 256, trust 0.02, weight decay 1e-4, widths 2048, off-diagonal weight 0.0051. Its loss is a tenth of ours, so
the learning rate is divided and the weight decay multiplied by ten, which is the same under clipped LARS. Not yet
measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("barlow_twins", batch_size=256, epochs=1000)
    epoch = config.steps // 1000
    config.method.update({"projector": (2048, 2048, 2048)})
    config.optimizer.update(
        {
            "name": "larc",
            "learning_rate": 0.3 / 10,
            "weight_decay": 1e-4 * 10,
            "warmup_steps": 10 * epoch,
            "options": {"trust_coefficient": 0.02},
        }
    )
    return config
