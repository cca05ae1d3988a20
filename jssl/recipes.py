"""What recipes share: data sets and backbones by name, so that each file in ``configs/`` holds what is its own.

A recipe file defines one function per backbone and ends with ``get_config = recipes.recipe(...)``:
``--config configs/simclr.py:small,cifar10`` picks a backbone and a data set by name.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from jssl.config import default_config
from jssl.hints import nearest

DATA: dict[str, dict] = {
    "synthetic": {"source": "synthetic"},
    "cifar10": {
        "source": "tar:data/cifar10/*.tar.gz",
        "mean": (0.4914, 0.4822, 0.4465),
        "std": (0.2470, 0.2435, 0.2616),
    },
    "photos": {"source": "folder:photos?image_size=128"},
    "imagenet": {"source": "tfds:imagenet2012", "feed": "grain"},
    "captions": {"source": "synthetic:captions=6,caption_length=80"},
    "stories": {"source": "synthetic_text"},
    "shakespeare": {"source": "text:data/tinyshakespeare/input.txt?tokenizer=chars&length=65&stride=1"},
    "sounds": {"source": "synthetic_sound"},
    "digits": {
        "source": "audio:data/fsdd/recordings.tar.gz?rate=8000&seconds=1&pattern={label}_{speaker}_{}&test=*_[0-4]"
    },
    "audioset": {"source": "audio:data/audioset?rate=16000&seconds=10.24", "feed": "grain"},
    "books": {"source": "text:data/books/*.txt?length=1025", "feed": "grain"},
    "clips": {"source": "synthetic_clips"},
    "clips_with_sound": {"source": "synthetic_clips:sound=8000"},
    "rooms": {"source": "synthetic_rooms"},
    "kinetics": {"source": "video:data/kinetics?frames=20&stride=4&image_size=256", "feed": "grain"},
    "kinetics_with_sound": {
        "source": "video:data/kinetics?frames=40&fps=10&image_size=256&sound=16000&on_error=skip",
        "feed": "grain",
    },
    "pairs": {"source": "captions:data/pairs/captions.csv?image_size=256", "feed": "grain"},
    "librispeech": {
        "source": "audio:data/librispeech?rate=16000&seconds=15.625&pattern={speaker}/{}/{}",
        "feed": "grain",
    },
}
"""Data sets by name: where they are, how they are fed, the normalisation of their pictures where it is known."""


class Recipe:
    """A ``get_config``: called with a variant such as ``"small,cifar10"``.

    Attributes:
      variants: all of them, the default first.
    """

    def __init__(self, *backbones: tuple):
        self._make: dict[str, Callable] = {function.__name__: function for function, *_ in backbones}
        self.variants = [(function.__name__, name) for function, *names in backbones for name in names]

    def __call__(self, variant: str = "") -> ConfigDict:
        """The config of the first variant that has all the words of ``variant``, in any order.

        Raises:
          ValueError: there is none.
        """
        words = [word.strip() for word in variant.split(",") if word.strip()]
        known = {word for pair in self.variants for word in pair}
        for word in words:
            if word not in known:
                raise ValueError(f"no variant {word!r}{nearest(word, sorted(known))}")
        for backbone, data in self.variants:
            if {*words} <= {backbone, data}:
                return self._make[backbone](data)
        told = "; ".join(",".join(pair) for pair in self.variants)
        raise ValueError(f"no variant {variant!r}; there are {told}")


def recipe(*backbones: tuple) -> Recipe:
    """Makes ``get_config`` of a recipe file.

    Args:
      *backbones: (function, data, ...): the function, whose name is that of the variant, makes the config for the name of
        a data set; then the names of the data sets that it is meant for.

    >>> def small(data):
    ...     return start("simclr", data, batch_size=128, steps="7 epochs")
    >>> get_config = recipe((small, "synthetic", "cifar10"))
    >>> get_config.variants, get_config("cifar10").data.source
    ([('small', 'synthetic'), ('small', 'cifar10')], 'tar:data/cifar10/*.tar.gz')
    """
    return Recipe(*backbones)


def start(method: str, data: str, *, batch_size: int, steps: int | str) -> ConfigDict:
    """The default config with a method, a data set of ``DATA``, a batch size and a length."""
    config = default_config()
    about = DATA[data]
    config.method = {"name": method}
    config.data.update({"batch_size": batch_size, "source": about["source"], "feed": about.get("feed", "resident")})
    image = {name: about[name] for name in ("mean", "std") if name in about}
    if image:
        config.method.image = image
    config.steps = steps
    config.run.hardware = "cpu:1"
    return config


def image(config: ConfigDict, *, augment: dict | None = None, **options) -> None:
    """Sets options of ``config.method.image``; ``augment`` replaces what was there."""
    merged = {**config.method.get("image", {}), **options}
    if augment is not None:
        merged["augment"] = augment
    config.method.image = merged


def small_resnet(method: str, data: str, *, batch_size: int, steps: int | str) -> ConfigDict:
    """A four-stage ResNet of widths 16 to 128 for two CPU cores, on pictures of 32 pixels. Crops are 24 pixels: on average
    they cover 25 pixels a side, so little is lost, and they cost half of 32. Blur does nothing at this size."""
    config = start(method, data, batch_size=batch_size, steps=steps)
    config.method.encoder = {
        "name": "resnet",
        "stage_sizes": (1, 1, 1, 1),
        "block": "basic",
        "width": 16,
        "stem": "cifar",
    }
    image(config, size=24, eval_size=32)
    config.dtype = "float32"
    config.run.update({"eval_every": "12.5 %", "checkpoint_every": "25 %"})
    return config


def small_vit(method: str, data: str, *, batch_size: int, steps: int | str) -> ConfigDict:
    """A ViT of width 128 and five blocks on 4-pixel patches for two CPU cores, on pictures of 32 pixels."""
    config = start(method, data, batch_size=batch_size, steps=steps)
    config.method.encoder = {
        "name": "vit",
        "patch_size": 4,
        "width": 128,
        "depth": 5,
        "heads": 4,
        "positions": "sincos",
        "class_token": False,
        "pool": "mean",
    }
    image(config, size=24, eval_size=32, augment={"crop_scale": (0.5, 1.0), "interpolation": "bilinear"})
    config.dtype = "float32"
    config.run.update({"eval_every": "12.5 %", "checkpoint_every": "25 %"})
    return config


SMALL_FRAMES = ((64, 10, 5), (64, 4, 4), (64, 4, 4))
"""Convolutions for two CPU cores: a frame every 10 ms at 8 kHz."""


def small_waves(method: str, data: str, *, batch_size: int, steps: int | str) -> ConfigDict:
    """What small recipes of sounds share, for two CPU cores: crops of half a second at 8 kHz, since half of the spoken digits
    are shorter than 0.42 s, and more than half of a whole second would be silence."""
    config = start(method, data, batch_size=batch_size, steps=steps)
    config.method.audio = {"samples": 4096}
    config.dtype = "float32"
    config.optimizer.update({"name": "muon", "learning_rate": 5e-3, "weight_decay": 0.02, "warmup": "5 %"})
    config.run.update({"eval_every": "12.5 %", "checkpoint_every": "25 %"})
    return config


def photos(config: ConfigDict, *, epochs: int) -> ConfigDict:
    """A small recipe for 32 pixels, made one for a few thousand photos on a laptop: crops of 96 pixels, nine times the area.
    A ResNet halves them twice before its first stage, a ViT has patches of 12, so that a step costs as much as it did."""
    encoder = config.method.encoder
    encoder.update({"stem": "imagenet"} if encoder.name == "resnet" else {"patch_size": 12})
    image(config, size=96, eval_size=96)
    config.steps = f"{epochs} epochs"
    return config


def resnet18(method: str, data: str, *, batch_size: int, epochs: int) -> ConfigDict:
    """ResNet-18 with the CIFAR stem for one accelerator, without blur, as in the CIFAR-10 benchmarks of the field."""
    config = start(method, data, batch_size=batch_size, steps=f"{epochs} epochs")
    config.method.encoder = {"name": "resnet18", "stem": "cifar"}
    image(config, size=32, augment={"blur": False})
    config.run.update({"hardware": "v5e:1x1", "eval_every": 2000, "checkpoint_every": 2000})
    return config


def vit_tiny(method: str, data: str, *, batch_size: int, epochs: int) -> ConfigDict:
    """ViT-Ti with 4-pixel patches on pictures of 32 pixels for one accelerator."""
    config = start(method, data, batch_size=batch_size, steps=f"{epochs} epochs")
    config.method.encoder = {"name": "vit_tiny", "patch_size": 4, "positions": "sincos"}
    image(config, size=32)
    config.run.update({"hardware": "v5e:1x1", "eval_every": 2000, "checkpoint_every": 2000})
    return config


def vit(method: str, data: str, size: str, *, batch_size: int, epochs: int, hardware: str = "v5e:8x8") -> ConfigDict:
    """A ViT (``vit_small`` ...) with 16-pixel patches at 224 pixels, for a TPU or GPU pod; ``jssl plan`` says what it needs
    there. One block is compiled and scanned over, so that compiling takes minutes and not half an hour."""
    config = start(method, data, batch_size=batch_size, steps=f"{epochs} epochs")
    config.method.encoder = {"name": size, "patch_size": 16, "scan": True}
    image(config, size=224)
    config.run.update({"hardware": hardware, "eval_every": 10_000, "checkpoint_every": 5000})
    return config


def small_clips(method: str, data: str, *, batch_size: int, steps: int | str) -> ConfigDict:
    """A ViT of width 96 and three blocks on tubelets of 2 x 8 x 8, for two CPU cores, on clips of 8 frames of 32 pixels."""
    config = start(method, data, batch_size=batch_size, steps=steps)
    config.method.encoder = {
        "name": "vit",
        "patch_size": 8,
        "width": 96,
        "depth": 3,
        "heads": 4,
        "positions": "sincos",
        "class_token": False,
        "pool": "mean",
    }
    config.method.video = {"size": 32, "frames": 8, "augment": {"crop_scale": (0.5, 1.0), "interpolation": "bilinear"}}
    config.dtype = "float32"
    config.run.update({"eval_every": "12.5 %", "checkpoint_every": "25 %"})
    return config


def clips(
    method: str, data: str, size: str, *, batch_size: int, steps: int | str, hardware: str = "v5e:16x16"
) -> ConfigDict:
    """A ViT on tubelets of 2 x 16 x 16, on clips of 16 frames of 224 pixels, 1,568 tubelets each, for a TPU or GPU pod. Blocks
    are scanned over and computed again in the backward pass."""
    config = start(method, data, batch_size=batch_size, steps=steps)
    config.method.encoder = {
        "name": size,
        "patch_size": 16,
        "tubelet": 2,
        "positions": "sincos",
        "class_token": False,
        "pool": "mean",
        "scan": True,
        "remat": "full",
    }
    config.method.video = {"size": 224, "frames": 16}
    config.run.update({"hardware": hardware, "eval_every": 10_000, "checkpoint_every": 5000})
    return config
