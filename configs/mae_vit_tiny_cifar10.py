"""MAE, ViT-Ti with 4-pixel patches, CIFAR-10, 400 epochs, for one accelerator.

jssl pretrain --config configs/mae_vit_tiny_cifar10.py --workdir runs/mae --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: AdamW (0.9, 0.95), base learning rate 1.5e-4 x batch / 256, weight decay 0.05, 75 % masked, normalised
targets, crops and flips: the MAE paper, table 8 (arXiv:2111.06377), with a decoder in proportion to ViT-Ti. Not yet measured here.
"""

from jssl.config import default_config


def get_config():
    config = default_config()
    config.method = {"name": "mae", "decoder_width": 128, "decoder_depth": 4, "decoder_heads": 4}
    config.encoder = {"name": "vit_tiny", "patch_size": 4, "positions": "sincos"}
    config.data.source = "tar:data/cifar10/*.tar.gz"
    config.data.mean, config.data.std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    config.data.batch_size = 1024
    epoch = 50_000 // 1024
    config.steps = 400 * epoch
    config.optimizer.update({
        "name": "adamw", "learning_rate": 1.5e-4 * 1024 / 256, "weight_decay": 0.05, "warmup_steps": 40 * epoch,
        "options": {"b2": 0.95},
    })  # fmt: skip
    config.run.update({"eval_every": 2000, "checkpoint_every": 2000})
    return config
