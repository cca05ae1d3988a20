"""data2vec, small ViT with 4-pixel patches, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/data2vec_small_cifar10.py --workdir runs/data2vec --config.data.source='tar:cifar10/*.tar.gz'

Not yet measured.
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
