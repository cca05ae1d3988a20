"""V-JEPA: predict an EMA encoder's features of what blocks cut through a clip (Bardes et al., arXiv:2404.08471); and V-JEPA 2.

jssl pretrain --config configs/vjepa.py:small --workdir runs/vjepa

small: ours, for two CPU cores and the synthetic clips; blocks of 0.15 and 0.5 of a frame of 4 x 4 tubelets.

vit_large: facebookresearch/jepa, configs/pretrain/vitl16.yaml: batch 3,072, 90,000 updates, 12,000 of warm-up, learning rate
6.25e-4 to 1e-6, weight decay 0.04 to 0.4, teacher momentum 0.998 to 1 (linearly), gradients clipped at 10, predictor of depth 12
and width 384, 16 frames at a stride of 4, crops from 0.3 of the frame on. Slots of contexts and targets are ours: they hold all
but the longest of a hundred masks. For a TPU or GPU pod. Not run here.

vit_large_2: V-JEPA 2 (arXiv:2506.09985), facebookresearch/vjepa2: rotary positions, a constant learning rate of 5.25e-4 after
12,000 updates of warm-up, weight decay 0.04, teacher momentum 0.99925, nothing clipped; 252,000 updates. Not run here.
"""

from jssl import recipes


def small(data):
    config = recipes.small_clips("vjepa", data, batch_size=64, steps="5 epochs")
    config.method.encoder.update({"patch_norm": True})
    config.method.predictor = {"width": 48, "depth": 2, "heads": 4}
    config.method.masks = {"num_blocks": (3, 1), "spatial_scale": (0.15, 0.5), "context_size": (48, 36)}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    config.ema.update({"momentum": 0.998, "momentum_end": 1.0})
    return config


def vit_large(data):
    config = recipes.clips("vjepa", data, "vit_large", batch_size=3072, steps=90_000)
    config.method.video.augment = {"crop_scale": (0.3, 1.0), "crop_ratio": (0.75, 1.35)}
    config.method.masks = {"context_size": (672, 360), "target_size": (1056, 1344)}
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 6.25e-4,
            "learning_rate_end": 1e-6,
            "weight_decay": 0.04,
            "weight_decay_end": 0.4,
            "warmup": "13.33 %",
            "clip_norm": 10.0,
        }
    )
    config.ema.update({"momentum": 0.998, "momentum_end": 1.0, "schedule": "linear"})
    config.fsdp = 8
    return config


def vit_large_2(data):
    config = vit_large(data)
    config.steps = 252_000
    config.method.encoder.positions = "rotary"
    config.method.predictor = {"positions": "rotary"}
    config.optimizer.update(
        {
            "learning_rate": 5.25e-4,
            "learning_rate_end": 5.25e-4,
            "warmup": "4.76 %",
            "weight_decay_end": None,
            "clip_norm": None,
        }
    )
    config.ema.update({"momentum": 0.99925, "momentum_end": 0.99925})
    return config


get_config = recipes.recipe((small, "clips"), (vit_large, "kinetics"), (vit_large_2, "kinetics"))
