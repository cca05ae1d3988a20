"""SigLIP (Zhai et al., arXiv:2303.15343).

small: as CLIP's: a small ResNet and a small transformer over bytes for two CPU cores, on the embedded pictures and their
captions. Ours.

vit_base: ViT-B/16 with a learnt scale that starts at 10 and a bias at -10 (section 3.2); rate 1e-3, weight decay 1e-4 and
b2 0.95, which the paper found to keep large batches stable (section 4.6; the authors' big_vision, configs/proj/image_text).
Its batch is 32,768 of WebLI; here batches of 4,096, and bytes. Not run here.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("siglip", data, batch_size=64, steps="6.4 epochs")
    config.method.text_encoder = {"name": "transformer", "width": 64, "depth": 2, "heads": 4, "pool": "mean"}
    config.method.width = 64
    recipes.image(config, size=32, eval_size=32, augment={"crop_scale": (0.6, 1.0)})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    return config


def vit_base(data):
    config = recipes.vit("siglip", data, "vit_base", batch_size=4096, epochs=32, hardware="v5e:16x16")
    config.method.text_encoder = {
        "name": "transformer",
        "width": 768,
        "depth": 12,
        "heads": 12,
        "pool": "last",
        "scan": True,
    }
    config.optimizer.update(
        {"name": "adamw", "learning_rate": 1e-3, "weight_decay": 1e-4, "warmup": 2000, "options": {"b2": 0.95}}
    )
    return config


get_config = recipes.recipe((small, "captions"), (vit_base, "pairs"))
