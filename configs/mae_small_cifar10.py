"""MAE, small ViT with 4-pixel patches, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/mae_small_cifar10.py --workdir runs/mae --config.data.source='tar:cifar10/*.tar.gz'

Not yet measured.
"""

from jssl.recipes import small_vit_cifar10


def get_config():
    config = small_vit_cifar10("mae", batch_size=128, steps=1100)
    config.method.update({"decoder_width": 64, "decoder_depth": 1, "decoder_heads": 4})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 100})
    return config
