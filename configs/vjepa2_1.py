"""V-JEPA 2.1: features of four depths, and a loss on the context, weighted by its distance to what is hidden (arXiv:2603.14482).

jssl pretrain --config configs/vjepa2_1.py:small --workdir runs/vjepa2_1

small: ours, for two CPU cores and the synthetic clips; one kind of mask, and no wait for the loss on the context.

vit_large: facebookresearch/vjepa2, app/vjepa_2_1: as V-JEPA 2 (configs/vjepa.py:vit_large_2) with the loss on the context at 0.5,
which starts at update 15,000 and has all its weight at 30,000, on 135,000 updates; the authors train on pictures beside clips and
distil the published ViT-L from a larger one. For a TPU or GPU pod. Not run here.
"""

from jssl import recipes


def small(data):
    config = recipes.small_clips("vjepa2_1", data, batch_size=64, steps="4 epochs")
    config.method.encoder.update({"patch_norm": True, "positions": "rotary", "depth": 4})
    config.method.predictor = {"width": 48, "depth": 2, "heads": 4}
    config.method.masks = {"num_blocks": (2,), "spatial_scale": (0.3,)}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    config.ema.update({"momentum": 0.998, "momentum_end": 1.0})
    return config


def vit_large(data):
    config = recipes.clips("vjepa2_1", data, "vit_large", batch_size=3072, steps=135_000)
    config.method.encoder.positions = "rotary"
    config.method.video.augment = {"crop_scale": (0.3, 1.0), "crop_ratio": (0.75, 1.35)}
    config.method.masks = {"context_size": (672, 360), "target_size": (1056, 1344)}
    config.method.context = {"weight": 0.5, "start": "11.1 %", "full": "22.2 %"}
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 5.25e-4,
            "learning_rate_end": 5.25e-4,
            "weight_decay": 0.04,
            "warmup": "8.89 %",
        }
    )
    config.ema.update({"momentum": 0.99925, "momentum_end": 0.99925})
    config.fsdp = 8
    return config


get_config = recipes.recipe((small, "clips"), (vit_large, "kinetics"))
