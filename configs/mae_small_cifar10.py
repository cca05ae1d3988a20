"""MAE, small ViT with 4-pixel patches, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/mae_small_cifar10.py --workdir runs/mae --config.data.source='tar:cifar10/*.tar.gz'

Not yet measured.
"""

from jssl.config import default_config


def get_config():
    config = default_config()
    config.method = {"name": "mae", "decoder_width": 64, "decoder_depth": 1, "decoder_heads": 4}
    config.encoder = {
        "name": "vit", "patch_size": 4, "width": 128, "depth": 5, "heads": 4, "positions": "sincos",
        "class_token": False, "pool": "mean",
    }  # fmt: skip
    config.augmentation = {"crop_scale": (0.5, 1.0), "interpolation": "bilinear"}
    config.dtype = "float32"
    config.data.source = "tar:data/cifar10/*.tar.gz"
    config.data.mean, config.data.std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    config.data.batch_size = 256
    config.optimizer.update({
        "name": "adamw", "learning_rate": 1.5e-3, "weight_decay": 0.05, "warmup_steps": 100, "options": {"b2": 0.95},
    })  # fmt: skip
    config.steps = 1500
    config.run.eval_every = 250
    return config
