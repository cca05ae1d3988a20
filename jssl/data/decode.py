"""Encoded bytes to uint8 RGB of a known size, and nothing else: augmentation happens on the device."""

import io
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

import numpy as np
from PIL import Image

__all__ = ["decode_image", "parallel_map", "resize_image", "to_rgb"]


def to_rgb(image: Image.Image) -> Image.Image:
    """Any PIL mode to RGB: transparency is laid on white, 16 bit keeps its upper 8 bits."""
    if image.mode == "RGB":
        return image
    if image.mode == "I" or image.mode.startswith("I;16"):
        wide = np.asarray(image).astype(np.int64)
        image = Image.fromarray((wide >> 8).clip(0, 255).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("floating point pixels have no agreed range; save the image with 8 or 16 bits")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def resize_image(image: Image.Image, image_size: int) -> Image.Image:
    """Shorter side to image_size (bicubic, antialiased), then the central square."""
    width, height = image.size
    if (width, height) == (image_size, image_size):
        return image
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return image.resize((image_size, image_size), Image.Resampling.BICUBIC, (left, top, left + side, top + side), 2.0)


def decode_image(encoded: bytes, image_size: int | None = None) -> np.ndarray:
    """Decodes PNG, JPEG and whatever else Pillow reads.

    Args:
      encoded: the bytes of one image file.
      image_size: side of the square result; None keeps the size of the file.

    Returns:
      (H, W, 3) uint8.

    Raises:
      ValueError: if the bytes are not a whole image.

    >>> file = io.BytesIO()
    >>> Image.new("L", (8, 6), 255).save(file, "PNG")
    >>> decode_image(file.getvalue(), 4).shape
    (4, 4, 3)
    """
    try:
        image: Image.Image = Image.open(io.BytesIO(encoded))
        if image_size is not None:
            image.draft("RGB", (image_size, image_size))  # JPEG: decode at 1/2, 1/4 or 1/8 where that is enough
        image = to_rgb(image)
        if image_size is not None:
            image = resize_image(image, image_size)
        return np.array(image, np.uint8)
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, zlib.error and more
        raise ValueError(f"not a whole image ({type(error).__name__}: {error})") from error


def parallel_map(function: Callable, items: Iterable, threads: int | None = None) -> list:
    """function over items in order, in threads (decoding and zlib release the GIL)."""
    items = list(items)
    threads = threads or min(16, cpu_count() or 1)
    if threads == 1 or len(items) < 2:
        return [function(item) for item in items]
    # A few hundred items a task: handing single 32 pixel images to the pool costs more than decoding them.
    size = max(1, min(256, len(items) // threads))
    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    with ThreadPoolExecutor(threads) as pool:
        done = pool.map(lambda chunk: [function(item) for item in chunk], chunks)
        return [value for values in done for value in values]
