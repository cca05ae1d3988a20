"""DINO, ViT-S/16, ImageNet-1k, 800 epochs, for a TPU or GPU pod.

jssl pretrain --config configs/dino_vit_small_imagenet.py --workdir runs/dino --config.data.source='tfds:imagenet2012'

Hyperparameters: facebookresearch/dino and the args.txt of its ViT-S/16 (read second-hand): ten local crops, no
clipping, gains of the last layer learnt; it reports 74.5 % k-NN and 77.0 % linear. Not yet measured here.
"""

from jssl.recipes import vit_imagenet


def get_config():
    config = vit_imagenet("dino", "vit_small", batch_size=1024, epochs=800)
    epoch = config.steps // 800
    config.method.update(
        {
            "num_local": 10,
            "global_scale": (0.25, 1.0),
            "local_scale": (0.05, 0.25),
            "norm_last_layer": False,
            "teacher_temperature": 0.07,
            "teacher_temperature_warmup_steps": 30 * epoch,
        }
    )
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 5e-4 * 1024 / 256,
            "weight_decay": 0.04,
            "weight_decay_end": 0.4,
            "warmup_steps": 10 * epoch,
            "learning_rate_end": 1e-5,
            "freeze": "last_layer",
            "freeze_steps": epoch,
        }
    )
    config.encoder.drop_path = 0.1
    return config
