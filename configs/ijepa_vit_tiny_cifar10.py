"""I-JEPA, ViT-Ti with 4-pixel patches, CIFAR-10, 400 epochs, for one accelerator.

jssl pretrain --config configs/ijepa_vit_tiny_cifar10.py --workdir runs/ijepa --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: AdamW, learning rate 1e-3 at batch 2,048 scaled to 1,024 after 15 epochs of warm-up, weight decay 0.04
to 0.4, teacher momentum 0.996 to 1 (linearly), four targets of 0.15 to 0.2 of the image, context 0.85 to 1: the I-JEPA paper,
appendix A (arXiv:2301.08243), with a predictor in proportion to ViT-Ti, and flips. Not yet measured here.
"""

from jssl.recipes import vit_tiny_cifar10


def get_config():
    config = vit_tiny_cifar10("ijepa", batch_size=1024, epochs=400)
    epoch = config.steps // 400
    config.method.update({"predictor_width": 96, "predictor_depth": 6, "predictor_heads": 3})
    config.augmentation = {"crop_scale": (0.3, 1.0)}
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 5e-4,
            "weight_decay": 0.04,
            "weight_decay_end": 0.4,
            "warmup_steps": 15 * epoch,
            "learning_rate_end": 1e-6,
        }
    )
    config.teacher.schedule = "linear"
    config.encoder.update({"class_token": False, "pool": "mean"})
    return config
