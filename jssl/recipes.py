"""What the recipes of one data set and one backbone share, so that each file in ``configs/`` holds what is its own."""

from ml_collections import ConfigDict

from jssl.config import default_config

CIFAR10_MEAN, CIFAR10_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
CIFAR10_IMAGES = 50_000
IMAGENET_IMAGES = 1_281_167


def cifar10(method: str, *, batch_size: int, epochs: int | None = None, steps: int | None = None) -> ConfigDict:
    """CIFAR-10 from tar files, for ``epochs`` or ``steps``.

    >>> cifar10("simclr", batch_size=500, epochs=2).steps
    200
    """
    config = default_config()
    config.method = {"name": method}
    config.data.source = "tar:data/cifar10/*.tar.gz"
    config.data.mean, config.data.std = CIFAR10_MEAN, CIFAR10_STD
    config.data.batch_size = batch_size
    return _length(config, CIFAR10_IMAGES, epochs, steps)


def small_resnet_cifar10(method: str, *, batch_size: int, steps: int) -> ConfigDict:
    """A four-stage ResNet of widths 16 to 128 for two CPU cores. Crops are 24 pixels: on average they cover 25 pixels a
    side, so little is lost, and they cost half of 32. Blur does nothing at this size."""
    config = cifar10(method, batch_size=batch_size, steps=steps)
    config.encoder = {"name": "resnet", "stage_sizes": (1, 1, 1, 1), "block": "basic", "width": 16, "stem": "cifar"}
    config.image_size, config.eval_image_size = 24, 32
    config.dtype = "float32"
    config.run.eval_every = max(1, steps // 8)
    return config


def small_vit_cifar10(method: str, *, batch_size: int, steps: int) -> ConfigDict:
    """A ViT of width 128 and five blocks on 4-pixel patches for two CPU cores."""
    config = cifar10(method, batch_size=batch_size, steps=steps)
    config.encoder = {
        "name": "vit",
        "patch_size": 4,
        "width": 128,
        "depth": 5,
        "heads": 4,
        "positions": "sincos",
        "class_token": False,
        "pool": "mean",
    }
    config.augmentation = {"crop_scale": (0.5, 1.0), "interpolation": "bilinear"}
    config.dtype = "float32"
    config.run.eval_every = max(1, steps // 8)
    return config


def resnet18_cifar10(method: str, *, batch_size: int, epochs: int) -> ConfigDict:
    """ResNet-18 with the CIFAR stem for one accelerator, without blur, as in the CIFAR-10 benchmarks of the field."""
    config = cifar10(method, batch_size=batch_size, epochs=epochs)
    config.encoder = {"name": "resnet18", "stem": "cifar"}
    config.augmentation = {"blur": False}
    config.run.update({"eval_every": 2000, "checkpoint_every": 2000})
    return config


def vit_tiny_cifar10(method: str, *, batch_size: int, epochs: int) -> ConfigDict:
    """ViT-Ti with 4-pixel patches for one accelerator."""
    config = cifar10(method, batch_size=batch_size, epochs=epochs)
    config.encoder = {"name": "vit_tiny", "patch_size": 4, "positions": "sincos"}
    config.run.update({"eval_every": 2000, "checkpoint_every": 2000})
    return config


def vit_imagenet(method: str, encoder: str, *, batch_size: int, epochs: int) -> ConfigDict:
    """A ViT on ImageNet-1k at 224 pixels, streamed from the host by Grain's worker processes, for a TPU or GPU pod."""
    config = default_config()
    config.method = {"name": method}
    config.encoder = {"name": encoder, "patch_size": 16}
    config.image_size = 224
    config.data.update({"source": "tfds:imagenet2012", "feed": "grain", "batch_size": batch_size})
    config.run.update({"eval_every": 10_000, "checkpoint_every": 5000})
    return _length(config, IMAGENET_IMAGES, epochs, None)


def _length(config: ConfigDict, images: int, epochs: int | None, steps: int | None) -> ConfigDict:
    config.steps = steps if epochs is None else epochs * images // config.data.batch_size
    return config
