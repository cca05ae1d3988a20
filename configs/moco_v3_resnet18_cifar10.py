"""MoCo v3, ResNet-18, CIFAR-10, 1000 epochs, for one accelerator.

jssl pretrain --config configs/moco_v3_resnet18_cifar10.py --workdir runs/moco_v3 --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: solo-learn scripts/pretrain/cifar/mocov3.yaml (published online linear accuracy 93.10 %): clipped LARS
0.3 at batch 256, trust 0.02, weight decay 1e-6, temperature 0.2, widths 4096 and 256, no batch norm at the end of the
predictor, momentum 0.99 to 1. Not yet measured here.
"""

from jssl.recipes import resnet18_cifar10


def get_config():
    config = resnet18_cifar10("moco_v3", batch_size=256, epochs=1000)
    epoch = config.steps // 1000
    config.method.update(
        {"temperature": 0.2, "projector": (4096, 256), "predictor": (4096, 256), "final_batch_norm": False}
    )
    config.optimizer.update(
        {
            "name": "larc",
            "learning_rate": 0.3,
            "weight_decay": 1e-6,
            "warmup_steps": 10 * epoch,
            "options": {"trust_coefficient": 0.02},
        }
    )
    config.teacher.update({"momentum": 0.99, "momentum_end": 1.0})
    return config
