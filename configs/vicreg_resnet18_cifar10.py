"""VICReg, ResNet-18, CIFAR-10, 1000 epochs, for one accelerator.

jssl pretrain --config configs/vicreg_resnet18_cifar10.py --workdir runs/vicreg --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: solo-learn scripts/pretrain/cifar/vicreg.yaml (published online linear accuracy 92.07 %): clipped LARS
0.3 at batch 256, trust 0.02, weight decay 1e-4, widths 2048, weights 25, 25 and 1 with a variance term that is twice
ours, so 50 here. Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("vicreg", batch_size=256, epochs=1000)
    epoch = config.steps // 1000
    config.method.update({"projector": (2048, 2048, 2048), "variance": 50.0})
    config.augmentation = {"blur": False, "crop_scale": (0.2, 1.0), "solarize_prob": 0.1}
    config.optimizer.update(
        {
            "name": "larc",
            "learning_rate": 0.3,
            "weight_decay": 1e-4,
            "warmup_steps": 10 * epoch,
            "options": {"trust_coefficient": 0.02},
        }
    )
    return config
