"""LeJEPA: crops predict the mean of the large ones, and SIGReg keeps embeddings Gaussian (Balestriero and LeCun, arXiv:2511.08544).

jssl pretrain --config configs/lejepa.py:small,cifar10 --workdir runs/lejepa

small: ours, for two CPU cores: Muon, two large crops alone, a projector of two layers of 512 before 64 outputs, and 256 directions.

resnet18: lambda 0.02, four crops from 0.08 of the picture on, a projector of 2048, 2048 and 16, 256 directions, batch 256: the
authors' minimal example for a ViT-S on Imagenette (rbalestr-lab/lejepa, MINIMAL.md, 800 epochs, 90.7 %), whose crops have one
size where two of the four are smaller here; AdamW at 5e-4 with weight decay 5e-4 for ResNets: its README. Not run here.

vit_large: rbalestr-lab/lejepa, README: ViT-L/14 on ImageNet-1k for 100 epochs, two crops of 224 and six of 98 pixels, AdamW from
5e-4 to a thousandth of it, weight decay 0.05; lambda 0.05 and 1,024 directions: the paper. Batch size and warm-up, which the
README does not name, are ours. For a TPU or GPU pod. Not run here.
"""

from jssl import recipes


def small(data):
    config = recipes.small_resnet("lejepa", data, batch_size=128, steps="6.12 epochs")
    config.method.update(
        {"crops": {"num_local": 0, "global_scale": (0.2, 1.0)}, "projector": (512, 512, 64), "num_slices": 256}
    )
    recipes.image(config, augment={"blur": False, "interpolation": "bilinear"})
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    return config


def resnet18(data):
    config = recipes.resnet18("lejepa", data, batch_size=256, epochs=800)
    config.method.update(
        {
            "crops": {"num_local": 2, "local_size": 24, "global_scale": (0.08, 1.0), "local_scale": (0.08, 1.0)},
            "weight": 0.02,
            "num_slices": 256,
        }
    )
    config.optimizer.update(
        {"name": "adamw", "learning_rate": 5e-4, "learning_rate_end": 5e-7, "weight_decay": 5e-4, "warmup": "1 epoch"}
    )
    return config


def vit_large(data):
    config = recipes.vit("lejepa", data, "vit_large", batch_size=512, epochs=100, hardware="v5e:16x16")
    config.method.encoder.patch_size = 14
    config.optimizer.update(
        {"name": "adamw", "learning_rate": 5e-4, "learning_rate_end": 5e-7, "weight_decay": 0.05, "warmup": "10 epochs"}
    )
    config.fsdp = 8
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"), (vit_large, "imagenet"))
