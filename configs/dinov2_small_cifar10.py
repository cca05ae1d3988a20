"""DINOv2, small ViT with 4-pixel patches, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/dinov2_small_cifar10.py --workdir runs/dinov2 --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 56.5 %, linear 56.1 %; the same encoder at random
30.0 % and 42.7 %. RankMe 63 of 128. 1,339 steps of 64 by benchmarks/quality.py took 15.4 minutes on two cores (93
images/s). On the synthetic shapes 96.1 % k-NN (untrained 64.2 %) and 99.2 % linear (94.3 %) after 257 steps, 2.8
minutes; RankMe 40. What counts is patch_norm. Single runs of 150 steps there, one head, without KoLeo, online k-NN:
97.3 % with it (untrained 57.6 %), 28.1 % without (21.5 %). Without it, KoLeo helps: 42.2 % at a weight of 0.5, 29.7 %
after 250 steps at 0.1, both with the paper's masks and two heads.
"""

from jssl.recipes import small_vit_cifar10


def get_config():
    config = small_vit_cifar10("dinov2", batch_size=64, steps=1340)
    config.image_size, config.eval_image_size = 24, 32
    config.encoder.patch_norm = True
    config.method.update(
        {
            "num_local": 0,
            "global_scale": (0.2, 1.0),
            "mask_ratio": (0.1, 0.3),
            "mask_probability": 0.25,
            "hidden": 256,
            "bottleneck": 128,
            "prototypes": 1024,
            "batch_norm_head": True,
            "teacher_temperature": 0.01,
            "warmup_teacher_temperature": 0.01,
        }
    )
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 134})
    config.augmentation = {"blur": False, "interpolation": "bilinear"}
    config.teacher.update({"momentum": 0.9, "momentum_end": 1.0})
    return config
