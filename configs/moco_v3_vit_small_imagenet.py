"""MoCo v3, ViT-S/16, ImageNet-1k, 300 epochs, for a TPU or GPU pod.

jssl pretrain --config configs/moco_v3_vit_small_imagenet.py --workdir runs/moco_v3 --config.data.source='tfds:imagenet2012'

Hyperparameters: facebookresearch/moco-v3, CONFIG.md: AdamW, 1.5e-4 x batch / 256, weight decay 0.1, 40 epochs of
warm-up, frozen random patch projection, 12 heads (vits.py); it reports 73.2 % linear. Not yet measured here.
"""

from jssl.recipes import vit_imagenet


def get_config():
    config = vit_imagenet("moco_v3", "vit_small", batch_size=4096, epochs=300)
    epoch = config.steps // 300
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 1.5e-4 * 4096 / 256,
            "weight_decay": 0.1,
            "warmup_steps": 40 * epoch,
            "freeze": "patch_embed",
            "freeze_steps": config.steps,
        }
    )
    config.encoder.update({"positions": "sincos", "heads": 12})
    config.teacher.update({"momentum": 0.99, "momentum_end": 1.0})
    return config
