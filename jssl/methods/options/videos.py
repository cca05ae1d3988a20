"""How clips enter a method."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import jax

from jssl import views
from jssl.methods.options.given import Given
from jssl.methods.options.images import ImageInput, Prepare


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

    def between(self, key: Any, steps: jax.Array) -> jax.Array:
        """Of (T - 1, ...), something for each frame and the next, what is between the frames that ``pixels`` takes with a key.

        Raises:
          ValueError: the stride is not 1: what lies between has several parts then.
        """
        if self.stride != 1:
            raise ValueError(
                f"frames are {self.stride} apart, and there are {self.stride} steps between them; use a stride of 1"
            )
        if key is None:
            return views.central_frames(steps, frames=self.frames - 1)
        return views.random_frames(jax.random.split(key)[0], steps, frames=self.frames - 1)

    def normalize(self, pixels: jax.Array) -> jax.Array:
        """What ``__call__`` does to ``pixels`` at the end."""
        return views.normalize(pixels, mean=self.augmentation.mean, std=self.augmentation.std)
