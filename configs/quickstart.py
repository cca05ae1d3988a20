"""SimCLR with a small ResNet on the synthetic shapes that come with the library: no download, no accelerator.

jssl pretrain --config configs/quickstart.py --workdir runs/quickstart

The numbers are ours, for a minute or two on two CPU cores.
"""

from jssl import recipes


def get_config():
    config = recipes.small_resnet("simclr", "synthetic", batch_size=64, steps=500)
    config.method.update({"temperature": 0.2, "projector": (256, 64)})
    recipes.image(config, size=20, augment={"strength": 1.0, "blur": False, "crop_scale": (0.3, 1.0)})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.05, "warmup": 30})
    config.run.update({"eval_every": 250, "checkpoint_every": 500})
    return config
