"""SimCLR with a small ResNet on the embedded synthetic shapes: no download, no accelerator.

jssl pretrain --config configs/quickstart.py --workdir runs/quickstart

Measured: k-NN (k=20, 10,000 training images, 2,000 test images) 91.1 % with Python 3.11 and jax 0.10, 90.4 % with 3.12 and
jax 0.12; the same encoder at random 33.0 %, raw pixels 30.8 %. 500 steps took 1.5 and 1.7 minutes on two cores, compilation
included (450 and 530 images/s). 350 steps of 128, more images in all, reached 86.4 and 89.8 %.
"""

from jssl.config import default_config


def get_config():
    config = default_config()
    config.method = {"name": "simclr", "temperature": 0.2, "projector": (256, 64)}
    config.encoder = {"name": "resnet", "stage_sizes": (1, 1, 1, 1), "block": "basic", "width": 16, "stem": "cifar"}
    config.image_size = 20
    config.eval_image_size = 32
    config.augmentation = {"strength": 1.0, "blur": False, "crop_scale": (0.3, 1.0)}
    config.dtype = "float32"
    config.data.batch_size = 64
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.05, "warmup_steps": 30})
    config.steps = 500
    config.run.eval_every = 250
    return config
