"""data2vec, small ViT with 4-pixel patches, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/data2vec_small_cifar10.py --workdir runs/data2vec --config.data.source='tar:cifar10/*.tar.gz'

Not yet measured on CIFAR-10, and it does not learn the synthetic shapes: 25.3 % k-NN after 315 steps (untrained 35.9
%), 93.1 % linear (95.1 %). Single runs there, crops of 24 pixels, online k-NN: 21.2 % after 300 steps; with patch_norm
19.8 % after 200 (untrained 28.2 %), with smaller blocks (at most 2 patches) besides 22.1 % after 300, and with full
branches, fixed positions and teacher momentum 0.996 20.5 % after 200 (untrained 57.6 %). The loss hardly falls after 50
steps (0.19 to 0.21, where the mean as a guess gives about 0.25), or features lose rank (8).
"""

from jssl.recipes import small_vit_cifar10


def get_config():
    config = small_vit_cifar10("data2vec", batch_size=64, steps=1700)
    # First targets that differ between patches, as for I-JEPA.
    config.encoder.update({"positions": "learned", "layer_scale": 0.1})
    config.method.update({"top_blocks": 4, "min_block": 4})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 100})
    config.teacher.update({"momentum": 0.999, "momentum_end": 1.0})
    return config
