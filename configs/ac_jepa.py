"""Action-conditioned JEPA: predict the features of the frames that actions lead to (V-JEPA 2-AC, arXiv:2506.09985).

jssl pretrain --config configs/ac_jepa.py:small --workdir runs/ac_jepa
python benchmarks/rooms.py --workdir runs/ac_jepa

small: ours, for two CPU cores and the two rooms: an encoder that learns along, whose features of a frame are 16 numbers, and a
predictor that sees the last frame alone, rolled out over whole clips.

vit_large: facebookresearch/vjepa2, configs/train/vitg16/droid-256px-8f.yaml: clips of 8 frames of 256 pixels, a predictor of
depth 24 and width 1024, two steps rolled out, 315 epochs of 300 updates, 15 of them warm-up, learning rate 4.25e-4, weight decay
0.04, and the paper's batch of 256. The encoder is frozen: give its run by --init-from runs/... --partial. The authors' is a
ViT-g of V-JEPA 2, here it is a ViT-L of pictures; their robots' clips (DROID) no source reads yet, here it is the two rooms.
Their rate falls to zero over the last 15 epochs, here it stays. For a TPU or GPU pod. Not run here.
"""

from jssl import recipes


def small(data):
    config = recipes.start("ac_jepa", data, batch_size=64, steps="5 epochs")
    config.method.video = {"size": 24, "frames": 8, "mean": (0.2,) * 3, "std": (0.2,) * 3}
    config.method.encoder = {
        "name": "vit",
        "patch_size": 8,
        "width": 64,
        "depth": 2,
        "heads": 4,
        "positions": "sincos",
        "class_token": False,
        "pool": "mean",
    }
    config.method.update({"features": "pooled", "projector": (16,), "inverse": (64,), "rollout": 7})
    config.method.predictor = {"width": 64, "depth": 2, "heads": 2, "memory": False}
    config.method.guard = {"variance": 25.0, "covariance": 1.0, "smoothness": 10.0, "inverse": 5.0}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    config.dtype = "float32"
    config.run.update({"eval_every": "12.5 %", "checkpoint_every": "25 %"})
    return config


def vit_large(data):
    config = recipes.clips("ac_jepa", data, "vit_large", batch_size=256, steps=94_500)
    del config.method.encoder["tubelet"]
    config.method.video = {"size": 256, "frames": 8}
    config.method.predictor = {"width": 1024, "depth": 24, "heads": 16}
    config.method.update({"frozen": True, "rollout": 2})
    config.data.source = "synthetic_rooms:num_examples=1000000,frames=8,image_size=256"
    config.data.feed = "grain"
    config.optimizer.update(
        {
            "name": "adamw",
            "learning_rate": 4.25e-4,
            "learning_rate_end": 4.25e-4,
            "weight_decay": 0.04,
            "warmup": "4.76 %",
            "freeze": "^encoder/",
            "freeze_for": "100 %",
        }
    )
    config.fsdp = 8
    return config


get_config = recipes.recipe((small, "rooms"), (vit_large, "rooms"))
