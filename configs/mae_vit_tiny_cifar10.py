"""MAE, ViT-Ti with 4-pixel patches, CIFAR-10, 400 epochs, for one accelerator.

jssl pretrain --config configs/mae_vit_tiny_cifar10.py --workdir runs/mae --config.data.source='tar:cifar10/*.tar.gz'

Hyperparameters: AdamW (0.9, 0.95), base learning rate 1.5e-4 x batch / 256, weight decay 0.05, 75 % masked, normalised
targets, crops and flips: the MAE paper, table 8 (arXiv:2111.06377), and facebookresearch/mae, main_pretrain.py, with a
decoder in proportion to ViT-Ti. Not yet measured here.
"""

from jssl.recipes import vit_tiny_cifar10


def get_config():
    config = vit_tiny_cifar10("mae", batch_size=1024, epochs=400)
    epoch = config.steps // 400
    config.method.update({"decoder_width": 128, "decoder_depth": 4, "decoder_heads": 4})
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 1.5e-4 * 1024 / 256,
            "weight_decay": 0.05,
            "warmup_steps": 40 * epoch,
            "options": {"b2": 0.95},
        }
    )
    return config
