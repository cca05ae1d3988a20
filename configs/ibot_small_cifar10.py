"""iBOT, small ViT with 4-pixel patches, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/ibot_small_cifar10.py --workdir runs/ibot --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 40.6 %, linear 51.0 %; the same encoder at random
30.0 % and 42.7 %. RankMe 6 of 128. 1,308 steps of 64 by benchmarks/quality.py took 14.3 minutes on two cores (98
images/s). On the synthetic shapes 87.7 % k-NN (untrained 64.2 %) and 99.1 % linear (94.3 %) after 249 steps, 2.8
minutes; RankMe 5. What counts is patch_norm: the untrained encoder has 57.6 % (online k-NN) with it and 21.5 % without,
and without it no run got beyond 28 % in 150 steps. Single runs of 150 steps with it: 77.7 % and 34 prototypes in use;
at a teacher temperature of 0.02 and momentum 0.9 81.8 %, but only 6 prototypes.

On CIFAR-10 its features collapse in part, and none of five single runs of 300 steps, all with the last layer free from
the start, cures that: as it is RankMe 6 and 32 % online k-NN; teacher momentum 0.996 with centre momentum 0.9, RankMe 4
and 32 %; teacher temperature 0.02 with centre momentum 0.9, 5 and 32 %; 128 prototypes with temperature 0.03, 6 and 32
%; a rate of 1e-3, 11 and 33 %. DINOv2's recipe (Sinkhorn targets, two heads, KoLeo, a sharper and faster teacher) ends
at RankMe 63 with the same encoder.
"""

from jssl.recipes import small_vit_cifar10


def get_config():
    config = small_vit_cifar10("ibot", batch_size=64, steps=1310)
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
            "teacher_temperature": 0.04,
            "center_momentum": 0.8,
        }
    )
    config.optimizer.update(
        {
            "name": "muon",
            "learning_rate": 5e-3,
            "weight_decay": 0.02,
            "warmup_steps": 131,
            "freeze": "last_layer",
            "freeze_steps": 437,
        }
    )
    config.augmentation = {"blur": False, "interpolation": "bilinear"}
    config.teacher.update({"momentum": 0.98, "momentum_end": 1.0})
    return config
