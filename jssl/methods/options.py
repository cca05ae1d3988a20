"""Groups of options that methods share, as frozen dataclasses with defaults: each is written once.

In a config they are the nested keys of ``config.method``: ``--config.method.image.size=96``,
``--config.method.head.prototypes=4096``. A group whose key is not set keeps the method's own default.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jssl import views
from jssl.data.source import About, Spec
from jssl.durations import Length
from jssl.models import DINOHead


class Given(NamedTuple):
    """What a method is built for: the data, and the compute dtype.

    Attributes:
      spec: of one example, as ``Source.spec``.
      about: of the data set, as ``Source.about``.
      dtype: of the computation; parameters are float32.
    """

    spec: Spec
    about: About = About()
    dtype: Any = jnp.float32


@dataclasses.dataclass(frozen=True)
class ImageInput:
    """How pictures enter: both the random view and the deterministic one, so that the two never disagree.

    Attributes:
      size: side of the (large) crops, pixels.
      eval_size: side of the central square when features are read; None takes ``size``.
      mean: of each channel, in [0, 1]; None takes the data set's, or ImageNet's where that is not known.
      std: likewise.
      augment: changes to the method's augmentation, see ``views.Augmentation``: ``{"blur_prob": 0.0}``.
    """

    size: int = 224
    eval_size: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    augment: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def view(self, given: Given, preset: Callable, *arguments, size: int | None = None, **defaults) -> "ImageView":
        """The random view: ``preset(size, *arguments)`` of ``jssl.views`` with ``defaults``, then with ``augment``.

        Raises:
          ValueError: the pictures are smaller than the crop, or ``augment`` has an unknown key, or one that is set elsewhere.
        """
        if elsewhere := {"size", "mean", "std"} & self.augment.keys():
            name = min(elsewhere)
            raise ValueError(f"method.image.augment.{name} is no part of the augmentation; set method.image.{name}")
        size = size or self.size
        height, width = given.spec["image"].shape[:2]
        if min(height, width) < size:
            raise ValueError(
                f"pictures of {height}x{width} are smaller than crops of {size}: lower method.image.size, "
                "or read them larger (image_size=... of the source)"
            )
        changes = {**defaults, **self.augment, **self.statistics(given)}
        try:
            return ImageView(preset(size, *arguments, **changes))
        except TypeError as error:
            unknown = str(error).rpartition("unexpected keyword argument ")[2].strip("'\"")
            raise ValueError(f"method.image.augment has no option {unknown!r}") from error

    def prepare(self, given: Given) -> "Prepare":
        """The deterministic view, for readouts: example -> (S, S, 3) float32."""
        size, statistics = self.eval_size or self.size, self.statistics(given)
        height, width = given.spec["image"].shape[:2]
        plain = ImageView(views.mae(size, crop_scale=(0.08, 1.0), **statistics)) if min(height, width) >= size else None
        return Prepare(views.eval_view(size, **statistics), plain)

    def statistics(self, given: Given) -> dict[str, Any]:
        """``mean`` and ``std`` that pictures are normalised by.

        Raises:
          ValueError: not one of each per channel of the pictures.
        """
        about, channels = given.about, given.spec["image"].shape[-1]
        found = {
            "mean": tuple(self.mean or about.mean or views.IMAGENET_MEAN),
            "std": tuple(self.std or about.std or views.IMAGENET_STD),
        }
        for name, values in found.items():
            if len(values) != channels:
                raise ValueError(
                    f"method.image.{name}={values}: the pictures have {channels} channels; give one for each"
                )
        return found


@dataclasses.dataclass(frozen=True)
class Prepare:
    """How pictures are read: ``prepare(example) -> (S, S, 3)``; and how linear probes of papers vary them.

    Attributes:
      view: the deterministic view.
      augment: (key, example) -> (S, S, 3), a random crop that may be flipped; None where pictures are smaller than it.
    """

    view: Callable
    augment: "ImageView | None"

    def __call__(self, example: Mapping) -> jax.Array:
        return self.view(None, example["image"], example.get("size"))


class ImageView(NamedTuple):
    """An augmentation of examples: ``view(key, example) -> (S, S, 3)``, normalised; ``pixels`` is it before that."""

    augmentation: views.Augmentation

    def __call__(self, key: jax.Array, example: Mapping) -> jax.Array:
        return self.augmentation(key, example["image"], example.get("size"))

    def pixels(self, key: jax.Array, example: Mapping) -> jax.Array:
        """In [0, 1]."""
        return self.augmentation.pixels(key, example["image"], example.get("size"))

    def normalize(self, pixels: jax.Array) -> jax.Array:
        """What ``__call__`` does to ``pixels`` at the end."""
        return views.normalize(pixels, mean=self.augmentation.mean, std=self.augmentation.std)


@dataclasses.dataclass(frozen=True)
class MultiCrop:
    """Two large crops and some small ones of each picture. The large ones have the side ``method.image.size``.

    Attributes:
      num_local: small crops per picture.
      local_size: their side, pixels.
      global_scale: area range of the large crops, share of the picture.
      local_scale: area range of the small crops.
    """

    num_local: int = 6
    local_size: int = 96
    global_scale: tuple[float, float] = (0.4, 1.0)
    local_scale: tuple[float, float] = (0.05, 0.4)

    def views(self, given: Given, image: ImageInput, large: Callable, small: Callable) -> Callable:
        """(key, example) -> crops, see ``views.multi_crop``.

        Args:
          given: the data.
          image: size, normalisation and changes of all crops.
          large: (size, which, **changes) -> Augmentation of the first (0) and second (1) large crop.
          small: (size, **changes) -> Augmentation of the small crops.

        Raises:
          ValueError: small crops that are not smaller than the large ones.
        """
        if self.num_local and self.local_size >= image.size:
            raise ValueError(
                f"method.crops.local_size={self.local_size} is not smaller than method.image.size={image.size}; set it, too, "
                f"to about {max(1, round(image.size * 3 / 7))} (as 96 of 224, a multiple of the patch size), or "
                "method.crops.num_local=0"
            )
        globals_ = [image.view(given, large, which, crop_scale=tuple(self.global_scale)) for which in (0, 1)]
        local = None
        if self.num_local:
            scale = tuple(self.local_scale)
            local = image.view(given, small, size=self.local_size, crop_scale=scale).augmentation

        def make(key, example):
            return views.multi_crop(
                key,
                example["image"],
                global_augmentations=[view.augmentation for view in globals_],
                local_augmentation=local,
                num_local=self.num_local,
                size=example.get("size"),
            )

        return make


@dataclasses.dataclass(frozen=True)
class PrototypeHead:
    """An MLP with a normalised bottleneck before prototypes (``models.DINOHead``).

    Attributes:
      hidden: width of the hidden layers.
      bottleneck: width of the normalised layer before the prototypes.
      prototypes: outputs.
      norm_last_layer: keep the prototypes' gains at one.
      batch_norm: normalise the hidden layers. Off in the papers; on, targets are sharp from the first step, which a
        short run needs: without it all pictures have much the same logits for hundreds of steps.
    """

    hidden: int = 2048
    bottleneck: int = 256
    prototypes: int = 65536
    norm_last_layer: bool = True
    batch_norm: bool = False

    def module(self, dtype) -> DINOHead:
        """The head."""
        return DINOHead(
            hidden=self.hidden,
            bottleneck=self.bottleneck,
            out_dim=self.prototypes,
            norm_last_layer=self.norm_last_layer,
            batch_norm=self.batch_norm,
            dtype=dtype,
        )


@dataclasses.dataclass(frozen=True)
class Temperatures:
    """Of the two softmaxes of self-distillation.

    Attributes:
      student: of the student's.
      teacher: of the teacher's, after the warm-up.
      teacher_start: of the teacher's, at step 0.
      warmup: how long it rises linearly.
    """

    student: float = 0.1
    teacher: float = 0.04
    teacher_start: float = 0.04
    warmup: Length = 0

    def teacher_at(self, step):
        """The teacher's temperature at a step."""
        share = jnp.minimum(step / max(int(self.warmup), 1), 1.0)
        return self.teacher_start + (self.teacher - self.teacher_start) * share


@dataclasses.dataclass(frozen=True)
class Centering:
    """What keeps targets from naming one prototype for all pictures.

    Attributes:
      kind: ``"softmax"`` of logits minus their running mean, or ``"sinkhorn"``, which balances each batch.
      momentum: EMA momentum of the running mean.
    """

    kind: str = "softmax"
    momentum: float = 0.9

    def __post_init__(self):
        if self.kind not in ("softmax", "sinkhorn"):
            raise ValueError(f"no centering {self.kind!r}: use softmax or sinkhorn")


@dataclasses.dataclass(frozen=True)
class Transformer:
    """Size of a decoder or predictor.

    Attributes:
      width: of its tokens.
      depth: blocks.
      heads: attention heads.
    """

    width: int
    depth: int
    heads: int
