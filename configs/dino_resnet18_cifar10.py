"""DINO, ResNet-18, CIFAR-10, 200 epochs, for one accelerator.

jssl pretrain --config configs/dino_resnet18_cifar10.py --workdir runs/dino --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: clipped LARS 0.3 at batch 256, trust 0.02, weight decay 1e-6, 4,096 prototypes, teacher momentum 0.9995
to 1, no local crops, last layer frozen for the first epoch: solo-learn scripts/pretrain/cifar/dino.yaml (which trains
for 1,000 epochs). Teacher temperature 0.04 to 0.07 over 30 epochs: the README of facebookresearch/dino. Not yet measured
here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("dino", batch_size=256, epochs=200)
    epoch = config.steps // 200
    config.method.update(
        {
            "num_local": 0,
            "global_scale": (0.08, 1.0),
            "prototypes": 4096,
            "teacher_temperature": 0.07,
            "teacher_temperature_warmup_steps": 30 * epoch,
        }
    )
    config.optimizer.update(
        {
            "name": "larc",
            "learning_rate": 0.3,
            "weight_decay": 1e-6,
            "warmup_steps": 10 * epoch,
            "options": {"trust_coefficient": 0.02},
            "freeze": "last_layer",
            "freeze_steps": epoch,
        }
    )
    config.teacher.update({"momentum": 0.9995, "momentum_end": 1.0})
    return config
