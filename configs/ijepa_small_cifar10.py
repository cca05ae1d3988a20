"""I-JEPA, small ViT with 4-pixel patches, CIFAR-10 on two CPU cores.

jssl pretrain --config configs/ijepa_small_cifar10.py --workdir runs/ijepa --config.data.source='tar:cifar10/*.tar.gz'

Not yet measured.
"""

from jssl.recipes import small_vit_cifar10


def get_config():
    config = small_vit_cifar10("ijepa", batch_size=128, steps=900)
    config.method.update({
        "context_size": 24, "min_keep": 6, "predictor_width": 64, "predictor_depth": 2, "predictor_heads": 4,
    })  # fmt: skip
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup_steps": 100})
    config.teacher.update({"momentum": 0.99, "momentum_end": 1.0})
    return config
