"""iBOT, ViT-Ti with 4-pixel patches, CIFAR-10, 400 epochs, for one accelerator.

jssl pretrain --config configs/ibot_vit_tiny_cifar10.py --workdir runs/ibot --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: bytedance/ibot, the README's command for ViT-S/16: DINO's with ten local crops of 0.05 to 0.25 of the
image and masks of 0.1 to 0.5 on half of the global crops; 4,096 prototypes and local crops of 16 pixels for CIFAR. Not
yet measured here.
"""

from jssl.recipes import vit_tiny_cifar10


def get_config():
    config = vit_tiny_cifar10("ibot", batch_size=512, epochs=400)
    epoch = config.steps // 400
    config.method.update(
        {
            "local_size": 16,
            "prototypes": 4096,
            "teacher_temperature_warmup_steps": 30 * epoch,
            "global_scale": (0.25, 1.0),
            "local_scale": (0.05, 0.25),
        }
    )
    config.augmentation = {"blur": False}
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 5e-4 * 512 / 256,
            "weight_decay": 0.04,
            "weight_decay_end": 0.4,
            "warmup_steps": 10 * epoch,
            "learning_rate_end": 1e-6,
            "clip_norm": 3.0,
            "freeze": "last_layer",
            "freeze_steps": epoch,
        }
    )
    return config
