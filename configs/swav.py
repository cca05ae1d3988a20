"""SwAV: crops predict each other's cluster assignment, balanced over the batch (Caron et al., arXiv:2006.09882).

jssl pretrain --config configs/swav.py:small,cifar10 --workdir runs/swav

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. Muon, no local crops, many prototypes
for the batch and sharp codes (epsilon 0.01, where the paper has 0.05). What was tried: docs/experiments.md.

resnet18: lightly's CIFAR-10 benchmark (docs/source/getting_started/benchmarks/cifar10_benchmark.py; published k-NN accuracy
84.2 %): Adam 1e-3 x batch / 128, weight decay 1e-6 (decoupled here), cosine, batch 512, no blur, 512 prototypes, two crops
and no local ones.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("swav", data, batch_size=64, steps="6.08 epochs")
    config.method.update(
        {
            "crops": {"num_local": 0, "global_scale": (0.2, 1.0)},
            "projector": (512, 128),
            "prototypes": 1024,
            "epsilon": 0.01,
            "sinkhorn_iterations": 5,
        }
    )
    recipes.image(config, augment={"strength": 0.5, "blur": False})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "3.33 %"})
    config.optimizer.update({"freeze": "^prototypes", "freeze_for": "3.33 %"})
    return config


def resnet18(data):
    config = recipes.resnet18("swav", data, batch_size=512, epochs=200)
    config.method.update({"crops": {"num_local": 0}, "projector": (512, 128), "prototypes": 512})
    recipes.image(config, augment={"strength": 0.5, "blur": False})
    config.optimizer.update({"name": "adamw", "learning_rate": 1e-3 * 512 / 128, "weight_decay": 1e-6})
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"))
