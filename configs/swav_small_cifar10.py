"""SwAV, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/swav_small_cifar10.py --workdir runs/swav --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 62.6 %, linear 64.0 %; the same encoder at random
28.6 % and 34.8 %. RankMe 51 of 128. 4,754 steps of 64 by benchmarks/quality.py took 15.6 minutes on two cores (329
images/s).

On the synthetic shapes 96.9 % k-NN after 980 steps, 2.8 minutes (untrained 33.1 %). Single runs of 300 steps there,
online k-NN: what counts are many prototypes, an image's own more than a class's, and sharp codes. 23.6 % (400 steps)
with 64 prototypes and epsilon 0.03, 33.1 % with 64 and 0.01, 60.8 % with 512 and 0.01, 67.1 % with 1024, 0.01 and the
wider projector below. With 64, the loss falls while k-NN falls below the untrained encoder's; AdamW (30.4 %) or slower
prototypes (24.2 %) changed little.
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("swav", batch_size=64, steps=4750)
    config.method.update(
        {
            "num_local": 0,
            "global_scale": (0.2, 1.0),
            "projector": (512, 128),
            "prototypes": 1024,
            "epsilon": 0.01,
            "sinkhorn_iterations": 5,
        }
    )
    config.augmentation = {"strength": 0.5, "blur": False}
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 158})
    config.optimizer.update({"freeze": "^prototypes", "freeze_steps": 158})
    return config
