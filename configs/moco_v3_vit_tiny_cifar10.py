"""MoCo v3, ViT-Ti with 4-pixel patches, CIFAR-10, 400 epochs, for one accelerator.

jssl pretrain --config configs/moco_v3_vit_tiny_cifar10.py --workdir runs/moco_v3 --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: AdamW, learning rate 1.5e-4 x batch / 256, weight decay 0.1, temperature 0.2, momentum 0.99 to 1,
frozen patch projection: facebookresearch/moco-v3, CONFIG.md, for ViT-S. Not yet measured here.
"""

from jssl.recipes import vit_tiny_cifar10


def get_config():
    config = vit_tiny_cifar10("moco_v3", batch_size=1024, epochs=400)
    epoch = config.steps // 400
    config.augmentation = {"blur": False}
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 1.5e-4 * 1024 / 256,
            "weight_decay": 0.1,
            "warmup_steps": 40 * epoch,
            "freeze": "patch_embed",
            "freeze_steps": config.steps,
        }
    )
    config.teacher.update({"momentum": 0.99, "momentum_end": 1.0})
    return config
