"""CLIP (Radford et al., arXiv:2103.00020).

small: a small ResNet and a small transformer over bytes for two CPU cores, on the embedded pictures and their captions. Ours.

vit_base: ViT-B/16 with the paper's hyperparameters (section 2.5, table 18 and 20): Adam 5e-4 with b2 0.98 and eps 1e-6,
2,000 steps of warm-up, weight decay 0.2, 32 epochs, random square crops, a learnt scale that starts at 1 / 0.07 and stops at
100. Its batch is 32,768 of 400 million pairs, its text tower is causal over 77 of 49,152 pieces; here batches of 4,096, bytes,
and a tower that sees the whole caption. Not run here.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("clip", data, batch_size=64, steps="6.4 epochs")
    config.method.text_encoder = {"name": "transformer", "width": 64, "depth": 2, "heads": 4, "pool": "mean"}
    config.method.width = 64
    recipes.image(config, size=32, eval_size=32, augment={"crop_scale": (0.6, 1.0)})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    return config


def vit_base(data):
    config = recipes.vit("clip", data, "vit_base", batch_size=4096, epochs=32)
    config.method.text_encoder = {
        "name": "transformer",
        "width": 512,
        "depth": 12,
        "heads": 8,
        "pool": "last",
        "scan": True,
    }
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 5e-4,
            "weight_decay": 0.2,
            "warmup": 2000,
            "options": {"b2": 0.98, "eps": 1e-6},
        }
    )
    return config


get_config = recipes.recipe((small, "captions"), (vit_base, "pairs"))
