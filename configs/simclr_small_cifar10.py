"""SimCLR, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/simclr_small_cifar10.py --workdir runs/simclr --config.data.source='tar:cifar10/*.tar.gz'

Measured: k-NN (k=20, all 50,000 training images) 58.3 % on the test set; the same encoder at random 28.6 %, raw pixels 45.9 %.
RankMe 51 of 128. 1,600 steps of 256 took 34 minutes on two cores shared with other work (333 images/s, median); at the 438
images/s it reached when it had most of them it is 16 minutes.
"""

from jssl.config import default_config


def get_config():
    config = default_config()
    config.method = {"name": "simclr", "temperature": 0.2, "projector": (256, 64)}
    config.encoder = {"name": "resnet", "stage_sizes": (1, 1, 1, 1), "block": "basic", "width": 16, "stem": "cifar"}
    config.image_size = 24  # crops average 25 pixels a side, so 24 loses little and costs half of 32
    config.eval_image_size = 32
    config.augmentation = {"strength": 0.5, "blur": False, "crop_scale": (0.2, 1.0)}
    config.dtype = "float32"
    config.data.source = "tar:data/cifar10/*.tar.gz"
    config.data.mean, config.data.std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    config.data.batch_size = 256
    config.optimizer.update({"name": "adamw", "learning_rate": 3e-3, "weight_decay": 0.02, "warmup_steps": 60})
    config.steps = 1600
    config.run.eval_every = 200
    return config
