"""DINO, small ResNet, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/dino_small_cifar10.py --workdir runs/dino --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 59.1 %, linear 60.0 %; the same encoder at random
28.6 % and 34.8 %. RankMe 47 of 128. 3,141 steps of 64 by benchmarks/quality.py took 13.5 minutes on two cores (246
images/s).

On the synthetic shapes 91.5 % k-NN (untrained 33.1 %) and 96.9 % linear (62.9 %) after 631 steps, 3.2 minutes; RankMe
38. Single runs there, online k-NN: 61.9 % after 400 steps of 64. With softmax centering: 39.8 % after 585 steps of 128
(5e-3, 512 prototypes, teacher temperature 0.04, momentum 0.98), 37.3 % after 300 and 45.3 % after 800 steps of 64 at
1.5e-3 with 1,024 prototypes; a temperature of 0.02 leaves 12 of them in use. The recipe with softmax centering reached
on CIFAR-10 52.7 % k-NN and 55.7 % linear in 2,000 steps of 128, 20.8 minutes; without batch norm in the head its
teacher's outputs stayed near uniform for 400 steps.
"""

from jssl.recipes import small_resnet_cifar10


def get_config():
    config = small_resnet_cifar10("dino", batch_size=64, steps=3140)
    config.method.update(
        {
            "num_local": 0,
            "global_scale": (0.2, 1.0),
            "hidden": 512,
            "bottleneck": 128,
            "prototypes": 1024,
            "batch_norm_head": True,
            "centering": "sinkhorn",
            "teacher_temperature": 0.01,
            "warmup_teacher_temperature": 0.01,
        }
    )
    config.augmentation = {"blur": False, "interpolation": "bilinear"}
    config.optimizer.update(
        {
            "name": "muon",
            "learning_rate": 5e-3,
            "weight_decay": 0.02,
            "warmup_steps": 314,
            "freeze": "last_layer",
            "freeze_steps": 235,
        }
    )
    config.teacher.update({"momentum": 0.9, "momentum_end": 1.0})
    return config
