"""Denoising autoencoder: give back the picture that was corrupted (Vincent et al., JMLR 2010).

jssl pretrain --config configs/denoising.py:small,cifar10 --workdir runs/denoising

small: ours, for two CPU cores: about 15 minutes on CIFAR-10, 3 on the synthetic shapes. A ViT, as the small ResNet would have
to carry the whole picture on a map of 3 x 3; 70 % of the patches masked and a narrow decoder. What was tried:
docs/experiments.md.

resnet18: half of the 4-pixel patches masked; the paper has no convolutional recipe, so optimiser and decoder are ours.
"""

from jssl import recipes


def small(data):
    config = recipes.small_vit("denoising", data, batch_size=64, steps="3.57 epochs")
    config.method.update({"level": 0.7, "decoder_width": 16})
    config.method.image.augment.crop_scale = (0.4, 1.0)
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "10 %"})
    return config


def resnet18(data):
    config = recipes.resnet18("denoising", data, batch_size=256, epochs=200)
    recipes.image(config, augment={"crop_scale": (0.4, 1.0)})
    config.optimizer.update({"name": "adamw", "learning_rate": 1e-3, "weight_decay": 0.01, "warmup": "5 epochs"})
    return config


get_config = recipes.recipe((small, "synthetic", "cifar10"), (resnet18, "cifar10"))
