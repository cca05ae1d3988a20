"""I-JEPA, small ViT with 4-pixel patches, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/ijepa_small_cifar10.py --workdir runs/ijepa --config.data.source='tar:cifar10/*.tar.gz'

Measured on the test set with all 50,000 training images: k-NN (k=20) 44.3 %, linear 53.9 %; the same encoder at random
30.3 % and 40.9 %. RankMe 30 of 128. 1,700 steps of 64 take 20 minutes on two cores (90 images/s).

Fixed positions, full branches and teacher momentum 0.99 lost rank: loss 0.05, RankMe 13 after 150 steps of 128.
Positions learned from near zero, a slow teacher and LayerScale 0.1 (the first targets are then near a projection of
each patch) brought online k-NN after 300 steps of 64 to 34.0 % (31.8 % without LayerScale, momentum 0.9995) and RankMe
to 24.

Weak on the synthetic shapes: 33.6 % k-NN after 352 steps (untrained 35.9 %), 95.9 % linear (95.1 %). Single runs there
with patch_norm (untrained 28.3 %), online k-NN: 42.2 % after 300 steps, 44.5 % after 500 with crops of 24 pixels; with
full branches, fixed positions and teacher momentum 0.996 26.0 % after 250 (untrained 57.6 %; loss 0.05, RankMe 8); as
the second, with teacher momentum 0.9999 and a predictor of width 128, 50.0 % after 400 (RankMe 8).
"""

from jssl.recipes import small_vit_cifar10


def get_config():
    config = small_vit_cifar10("ijepa", batch_size=64, steps=1700)
    config.encoder.update({"positions": "learned", "layer_scale": 0.1})
    config.method.update({
        "context_size": 24, "min_keep": 6, "predictor_width": 64, "predictor_depth": 2, "predictor_heads": 4,
    })  # fmt: skip
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 100})
    config.teacher.update({"momentum": 0.999, "momentum_end": 1.0})
    return config
