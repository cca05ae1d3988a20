"""MAE, ViT-B/16, ImageNet-1k, 1600 epochs, for a TPU or GPU pod.

jssl pretrain --config configs/mae_vit_base_imagenet.py --workdir runs/mae --config.data.source='tfds:imagenet2012'

Hyperparameters: the MAE paper, table 8 (arXiv:2111.06377), and facebookresearch/mae, PRETRAIN.md and main_pretrain.py;
it reports 83.6 % after fine-tuning. Not yet measured here.
"""

from jssl.recipes import vit_imagenet


def get_config():
    config = vit_imagenet("mae", "vit_base", batch_size=4096, epochs=1600)
    epoch = config.steps // 1600
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 1.5e-4 * 4096 / 256,
            "weight_decay": 0.05,
            "warmup_steps": 40 * epoch,
            "options": {"b2": 0.95},
        }
    )
    config.encoder.positions = "sincos"
    return config
