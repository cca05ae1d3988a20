"""I-JEPA, ViT-Ti with 4-pixel patches, CIFAR-10, 400 epochs, for one accelerator.

jssl pretrain --config configs/ijepa_vit_tiny_cifar10.py --workdir runs/ijepa --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: AdamW, learning rate 1e-3 at batch 2,048 scaled to 1,024, weight decay 0.04 to 0.4, teacher momentum 0.996 to 1,
four targets of 0.15 to 0.2 of the image, context 0.85 to 1: the I-JEPA paper, appendix A (arXiv:2301.08243), with a predictor in
proportion to ViT-Ti. Not yet measured here.
"""

from jssl.config import default_config


def get_config():
    config = default_config()
    config.method = {"name": "ijepa", "predictor_width": 96, "predictor_depth": 6, "predictor_heads": 3}
    config.encoder = {
        "name": "vit_tiny", "patch_size": 4, "positions": "sincos", "class_token": False, "pool": "mean",
    }  # fmt: skip
    config.augmentation = {"crop_scale": (0.3, 1.0)}
    config.data.source = "tar:data/cifar10/*.tar.gz"
    config.data.mean, config.data.std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    config.data.batch_size = 1024
    epoch = 50_000 // 1024
    config.steps = 400 * epoch
    config.optimizer.update({
        "name": "adamw", "learning_rate": 5e-4, "weight_decay": 0.04, "weight_decay_end": 0.4, "warmup_steps": 15 * epoch,
        "learning_rate_end": 1e-6,
    })  # fmt: skip
    config.run.update({"eval_every": 2000, "checkpoint_every": 2000})
    return config
