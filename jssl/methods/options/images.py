"""How pictures enter a method."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import jax

from jssl import views
from jssl.methods.options.given import Given


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
class Prepare:
    """How pictures and clips are read: ``prepare(example)``, a network's input; and how linear probes of papers vary them.

    Attributes:
      view: the deterministic view, as the random one is called.
      augment: (key, example) -> the same shape, a random crop that may be flipped; None where pictures are smaller than it.
    """

    view: Any  # ImageView, or ClipView
    augment: Any  # likewise

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
