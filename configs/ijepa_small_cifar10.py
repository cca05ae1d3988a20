"""I-JEPA, small ViT with 4-pixel patches, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/ijepa_small_cifar10.py --workdir runs/ijepa --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 41.7 %, linear 51.8 %; the same encoder at random
26.4 % and 40.2 %. RankMe 26 of 128. 1,855 steps of 64 by benchmarks/quality.py took 14.2 minutes on two cores, part of
it beside other work (147 images/s).

On the synthetic shapes 56.5 % k-NN (untrained 32.6 %) and 95.3 % linear (94.4 %) after 418 steps, 3.1 minutes; RankMe
6, so what it learns there is narrow.

What counts are targets that differ between patches from the start and change slowly. Single runs on the shapes, online
k-NN: 42.2 % after 300 steps and 44.5 % after 500 with teacher momentum 0.999 (untrained 28.3 %; crops of 32 and 24
pixels); 26.0 % after 250 with full branches, fixed positions and momentum 0.996 (untrained 57.6 %; loss 0.05, RankMe
8). Without patch_norm, with crops of 32 pixels, momentum 0.999 and a predictor of width 64, 33.6 % k-NN after 352 steps
(untrained 35.9 %), and on CIFAR-10 after 1,700 steps 44.3 %, linear 53.9 %, RankMe 30 (untrained 30.3 % and 40.9 %; 20
minutes).
"""

from jssl.recipes import small_vit_cifar10


def get_config():
    config = small_vit_cifar10("ijepa", batch_size=64, steps=1850)
    config.image_size, config.eval_image_size = 24, 32
    config.encoder.update({"positions": "learned", "layer_scale": 0.1, "patch_norm": True})
    config.method.update(
        {"context_size": 14, "min_keep": 4, "predictor_width": 128, "predictor_depth": 2, "predictor_heads": 4}
    )
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 109})
    config.teacher.update({"momentum": 0.9999, "momentum_end": 1.0})
    return config
