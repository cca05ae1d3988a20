"""Groups of options that methods share, as frozen dataclasses with defaults: each is written once.

In a config they are the nested keys of ``config.method``: ``--config.method.image.size=96``,
``--config.method.head.prototypes=4096``. A group whose key is not set keeps the method's own default.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

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

    FIELD: ClassVar[str] = "image"  # of an example, and what the group is called in a method's options

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
            told = f"method.{self.FIELD}.augment.{name} is no part of the augmentation"
            raise ValueError(f"{told}; set method.{self.FIELD}.{name}")
        size = size or self.size
        height, width = self._sides(given)
        if min(height, width) < size:
            raise ValueError(
                f"pictures of {height}x{width} are smaller than crops of {size}: lower method.{self.FIELD}.size, "
                "or read them larger (image_size=... of the source)"
            )
        changes = {**defaults, **self.augment, **self.statistics(given)}
        try:
            return ImageView(preset(size, *arguments, **changes))
        except TypeError as error:
            unknown = str(error).rpartition("unexpected keyword argument ")[2].strip("'\"")
            raise ValueError(f"method.{self.FIELD}.augment has no option {unknown!r}") from error

    def prepare(self, given: Given) -> "Prepare":
        """The deterministic view, for readouts: example -> (S, S, 3) float32."""
        size, statistics = self.eval_size or self.size, self.statistics(given)
        height, width = self._sides(given)
        plain = ImageView(views.mae(size, crop_scale=(0.08, 1.0), **statistics)) if min(height, width) >= size else None
        return Prepare(ImageView(views.eval_view(size, **statistics)), plain)

    def statistics(self, given: Given) -> dict[str, Any]:
        """``mean`` and ``std`` that pictures are normalised by.

        Raises:
          ValueError: not one of each per channel of the pictures.
        """
        about, channels = given.about, given.spec[self.FIELD].shape[-1]
        found = {
            "mean": tuple(self.mean or about.mean or views.IMAGENET_MEAN),
            "std": tuple(self.std or about.std or views.IMAGENET_STD),
        }
        for name, values in found.items():
            if len(values) != channels:
                raise ValueError(
                    f"method.{self.FIELD}.{name}={values}: the pictures have {channels} channels; give one for each"
                )
        return found

    def _sides(self, given: Given) -> tuple[int, ...]:
        """Height and width of the pictures."""
        return given.spec[self.FIELD].shape[-3:-1]


@dataclasses.dataclass(frozen=True)
class VideoInput(ImageInput):
    """How clips enter: as pictures do, each frame alike; ``view`` and ``prepare`` give (frames, S, S, 3) float32, normalised.

    Attributes:
      size, eval_size, mean, std, augment: see ``ImageInput``; what is drawn is drawn once for all frames of a clip.
      frames: of a clip, as networks see it.
      stride: from one frame to the next, in frames of the source. The random view begins anywhere, the deterministic one
        takes the middle.
    """

    FIELD: ClassVar[str] = "video"

    frames: int = 16
    stride: int = 1

    def view(  # type: ignore[override]  # of what another field holds
        self, given: Given, preset: Callable, *arguments, size: int | None = None, **defaults
    ) -> "ClipView":
        """The random view: see ``ImageInput``.

        Raises:
          ValueError: see ``ImageInput``; and for clips that are too short.
        """
        self._check(given)
        view = super().view(given, preset, *arguments, size=size, **defaults)
        return ClipView(view.augmentation, self.frames, self.stride)

    def prepare(self, given: Given) -> "Prepare":
        """The deterministic view, for readouts: example -> (frames, S, S, 3) float32."""
        self._check(given)
        plain = super().prepare(given)
        augment = None if plain.augment is None else ClipView(plain.augment.augmentation, self.frames, self.stride)
        return Prepare(ClipView(plain.view.augmentation, self.frames, self.stride), augment)

    def _check(self, given: Given) -> None:
        length, span = given.spec["video"].shape[0], 1 + (self.frames - 1) * self.stride
        if min(self.frames, self.stride) < 1:
            raise ValueError(f"method.video.frames={self.frames}, stride={self.stride}; use at least 1")
        if length < span:
            raise ValueError(
                f"clips of {length} frames are shorter than the {span} that method.video.frames={self.frames} and "
                f"stride={self.stride} span: lower these, or read more (frames=... of the source)"
            )


@dataclasses.dataclass(frozen=True)
class Prepare:
    """How pictures and clips are read: ``prepare(example)``, a network's input; and how linear probes of papers vary them.

    Attributes:
      view: the deterministic view, as the random one is called.
      augment: (key, example) -> the same shape, a random crop that may be flipped; None where pictures are smaller than it.
    """

    view: "ImageView | ClipView"
    augment: "ImageView | ClipView | None"

    def __call__(self, example: Mapping) -> jax.Array:
        return self.view(None, example)


class ImageView(NamedTuple):
    """An augmentation of examples: ``view(key, example) -> (S, S, 3)``, normalised; ``pixels`` is it before that."""

    augmentation: views.Augmentation | views.EvalView

    def __call__(self, key: Any, example: Mapping) -> jax.Array:
        return self.augmentation(key, example["image"], example.get("size"))

    def pixels(self, key: Any, example: Mapping) -> jax.Array:
        """In [0, 1]."""
        return self.augmentation.pixels(key, example["image"], example.get("size"))

    def normalize(self, pixels: jax.Array) -> jax.Array:
        """What ``__call__`` does to ``pixels`` at the end."""
        return views.normalize(pixels, mean=self.augmentation.mean, std=self.augmentation.std)


class ClipView(NamedTuple):
    """An augmentation of clips: ``view(key, example) -> (frames, S, S, 3)``, normalised; ``pixels`` is it before that.

    Attributes:
      augmentation: of the frames, all of them alike.
      frames: how many are seen.
      stride: from one to the next.
    """

    augmentation: views.Augmentation | views.EvalView
    frames: int
    stride: int

    def __call__(self, key: Any, example: Mapping) -> jax.Array:
        return self.normalize(self.pixels(key, example))

    def pixels(self, key: Any, example: Mapping) -> jax.Array:
        """In [0, 1]; without a key, from the middle of the clip."""
        which = {"frames": self.frames, "stride": self.stride}
        if key is None:
            video = views.central_frames(example["video"], **which)
        else:
            start, key = jax.random.split(key)
            video = views.random_frames(start, example["video"], **which)
        return views.over_frames(self.augmentation.pixels, key, video, example.get("size"))

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
