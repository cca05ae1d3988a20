"""VideoMAE: reconstruct the pixels of a clip from one patch of ten, the same in every frame (Tong et al., arXiv:2203.12602).

jssl pretrain --config configs/videomae.py:small --workdir runs/videomae

small: ours, for two CPU cores and the synthetic clips; three patches of four are hidden, since a frame has 16.

vit_base: the paper, appendix, and MCG-NJU/VideoMAE, scripts/pretrain/videomae_vit_base_patch16_224_tubemasking_ratio_0.9_epoch_800:
AdamW (0.9, 0.95), learning rate 1.5e-4 for a batch of 256, weight decay 0.05, 40 of 800 epochs of warm-up, 90 % hidden, decoder of
width 384 and depth 4, 16 frames at a stride of 4, crops without colours changed. The batch of 1,024 is the authors'. For a TPU
or GPU pod. Not run here.
"""

from jssl import recipes


def small(data):
    config = recipes.small_clips("videomae", data, batch_size=64, steps="8 epochs")
    config.method.decoder = {"width": 48, "depth": 1, "heads": 4}
    config.method.mask_ratio = 0.75
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    return config


def vit_base(data):
    config = recipes.clips("videomae", data, "vit_base", batch_size=1024, steps="800 epochs")
    config.method.video.augment = {"crop_scale": (0.5, 1.0)}
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 1.5e-4 * 1024 / 256,
            "weight_decay": 0.05,
            "warmup": "40 epochs",
            "options": {"b2": 0.95},
        }
    )
    return config


get_config = recipes.recipe((small, "clips"), (vit_base, "kinetics"))
