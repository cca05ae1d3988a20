"""DINO, ViT-Ti with 4-pixel patches, CIFAR-10, 400 epochs, for one accelerator.

jssl pretrain --config configs/dino_vit_tiny_cifar10.py --workdir runs/dino --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: AdamW, learning rate 5e-4 x batch / 256, weight decay 0.04 to 0.4, momentum 0.996 to 1, clip 3, last
layer frozen for an epoch: the defaults of facebookresearch/dino, main_dino.py; teacher temperature: its README. With
4,096 prototypes and six local crops of 16 pixels for CIFAR. Not yet measured here.
"""

from jssl.recipes import vit_tiny_cifar10


def get_config():
    config = vit_tiny_cifar10("dino", batch_size=512, epochs=400)
    epoch = config.steps // 400
    config.method.update(
        {
            "local_size": 16,
            "prototypes": 4096,
            "teacher_temperature": 0.07,
            "teacher_temperature_warmup_steps": 30 * epoch,
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
