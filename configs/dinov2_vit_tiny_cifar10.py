"""DINOv2, ViT-Ti with 4-pixel patches, CIFAR-10, 400 epochs, for one accelerator.

jssl pretrain --config configs/dinov2_vit_tiny_cifar10.py --workdir runs/dinov2 --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: those of DINOv2's code for ViT-L on ImageNet-1k (dinov2/configs/ssl_default_config.yaml): AdamW 4e-3
at batch 1,024 with square-root scaling, clip 3, momentum 0.992 to 1, eight local crops; without its layer-wise decay,
LayerScale and drop path, and with balanced targets (its ViT-L/14's), 4,096 prototypes and local crops of 16 pixels.
Not yet measured here.
"""

from jssl.recipes import vit_tiny_cifar10


def get_config():
    config = vit_tiny_cifar10("dinov2", batch_size=512, epochs=400)
    epoch = config.steps // 400
    config.method.update(
        {"local_size": 16, "prototypes": 4096, "bottleneck": 256, "teacher_temperature_warmup_steps": 30 * epoch}
    )
    config.augmentation = {"blur": False}
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 4e-3 * (512 / 1024) ** 0.5,
            "weight_decay": 0.04,
            "weight_decay_end": 0.4,
            "warmup_steps": 10 * epoch,
            "learning_rate_end": 1e-6,
            "clip_norm": 3.0,
            "freeze": "last_layer",
            "freeze_steps": epoch,
        }
    )
    config.teacher.update({"momentum": 0.992, "momentum_end": 1.0})
    return config
