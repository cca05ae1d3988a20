"""I-JEPA, ViT-H/14, ImageNet-1k, 300 epochs, for a TPU or GPU pod.

jssl pretrain --config configs/ijepa_vit_huge_imagenet.py --workdir runs/ijepa --config.data.source='tfds:imagenet2012'

Hyperparameters: facebookresearch/ijepa, configs/in1k_vith14_ep300.yaml: predictor of depth 12 and width 384 with the
encoder's 16 heads, crops without flips; the paper (arXiv:2301.08243) reports 79.3 % on the linear probe. Not yet
measured here.
"""

from jssl.recipes import vit_imagenet


def get_config():
    config = vit_imagenet("ijepa", "vit_huge", batch_size=2048, epochs=300)
    epoch = config.steps // 300
    config.method.update({"predictor_depth": 12, "predictor_heads": 16})
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 1e-3,
            "weight_decay": 0.04,
            "weight_decay_end": 0.4,
            "warmup_steps": 40 * epoch,
            "learning_rate_end": 1e-6,
        }
    )
    config.encoder.update({"patch_size": 14, "positions": "sincos", "class_token": False, "pool": "mean", "scan": True})
    config.augmentation = {"crop_scale": (0.3, 1.0), "flip_prob": 0.0}
    config.teacher.schedule = "linear"
    config.fsdp = 8
    return config
