"""data2vec: predict an EMA encoder's last blocks at hidden patches (Baevski et al., arXiv:2202.03555).

jssl pretrain --config configs/data2vec.py:small,cifar10 --workdir runs/data2vec

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. On a grid of 6 single patches are
hidden where the paper hides blocks, and what all patches share is taken out of the targets, as in data2vec 2.0
(arXiv:2212.07525); small batches for many steps, and a slow teacher. What was tried: docs/experiments.md.

vit_tiny: Adam, learning rate 2e-3 at batch 2,048 scaled to 1,024, 60 % masked in blocks, top 6 blocks, beta 2: the paper for
ViT-B (section 4), whose teacher momentum of 0.9998 is shortened here with the run; weight decay 0.05 and clip 3: its code
(facebookresearch/data2vec_vision). No colour jitter.

vit_base: the paper, section 4: learning rate 2e-3, 60 % masked, top 6 blocks, beta 2, momentum 0.9998, drop path 0.2; it
reports 84.2 % after fine-tuning. Weight decay, clip, LayerScale, crops, jitter: facebookresearch/data2vec_vision,
beit/README.md (with relative positions, learned ones here). For a TPU or GPU pod.
"""

from jssl import recipes


def small(data):
    config = recipes.small_vit("data2vec", data, batch_size=32, steps="3.2 epochs")
    config.method.update(
        {"mask": {"ratio": 0.6, "min_block": 1, "max_block": 1}, "top_blocks": 4, "normalize_layers": "instance"}
    )
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "10 %"})
    config.ema.update({"momentum": 0.9998, "momentum_end": 1.0})
    return config


def vit_tiny(data):
    config = recipes.vit_tiny("data2vec", data, batch_size=1024, epochs=400)
    config.method.mask = {"min_block": 4}  # of 64 patches, where the paper has 16 of 196
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 2e-3 * 1024 / 2048,
            "weight_decay": 0.05,
            "warmup": "40 epochs",
            "clip_norm": 3.0,
        }
    )
    config.ema.update({"momentum": 0.998, "momentum_end": 0.9998})
    return config


def vit_base(data):
    config = recipes.vit("data2vec", data, "vit_base", batch_size=2048, epochs=800)
    config.method.encoder.update({"drop_path": 0.2, "layer_scale": 1e-4})
    jitter = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "jitter_prob": 1.0}
    recipes.image(config, augment={"crop_scale": (0.08, 1.0), **jitter})
    config.optimizer.update(
        {"name": "adamw", "learning_rate": 2e-3, "weight_decay": 0.05, "warmup": "40 epochs", "clip_norm": 3.0}
    )
    config.ema.update({"momentum": 0.9998, "momentum_end": 0.9998})
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (vit_tiny, "cifar10"), (vit_base, "imagenet"))
