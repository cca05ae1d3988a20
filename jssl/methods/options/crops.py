"""Crops of several sizes of each picture."""

import dataclasses
from collections.abc import Callable

from jssl import views
from jssl.methods.options.given import Given
from jssl.methods.options.images import ImageInput


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
