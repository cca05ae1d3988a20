"""Pixels of any depth and colour as 8 bits of RGB."""

import io
import math
from collections.abc import Mapping

import numpy as np
from PIL import Image, TiffImagePlugin

__all__ = ["PixelError", "levels", "to_rgb", "unknown_tiff"]

_MEANING, _SAMPLES, _BITS, _FORMAT = 262, 277, 258, 339  # TIFF: photometric interpretation, ...


class PixelError(ValueError):
    """A picture is whole, but its pixels cannot be taken for RGB."""


def to_rgb(image: Image.Image) -> Image.Image:
    """Any PIL mode to 8 bits of RGB. Transparency is laid on white; more than 8 bits of grey are scaled, see `levels`.

    Raises:
      PixelError: a band would be lost, or a value is no number.
    """
    samples = _tags(image).get(_SAMPLES, 1)
    if samples > len(image.getbands()):  # Pillow passes over them
        raise PixelError(_bands(samples))
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _eight_bits(image)
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def levels(values: np.ndarray) -> tuple[float, float]:
    """Which values of a picture are black and white.

    Whole numbers of 16 bits at most: 0, and the largest number of as many bits as the greatest value needs, but at
    least 8. So the 12 bits that a camera or scanner keeps in 16 use all of the range, and 8 bits kept in 16 stay as
    they are. Larger whole numbers: 0 and the greatest value. Fractions within [0, 1]: 0 and 1. Where there are negative
    values, or fractions above 1: the least and the greatest value.

    Raises:
      PixelError: if a value is NaN or infinite.

    >>> levels(np.array([0, 3000], np.uint16)), levels(np.array([0, 0.5])), levels(np.array([-1000, 2000]))
    ((0, 4095), (0, 1), (-1000, 2000))
    """
    low, high = values.min().item(), values.max().item()
    if not math.isfinite(low) or not math.isfinite(high):
        raise PixelError("some of its values are NaN or infinite; save the picture with numbers in their place")
    if np.issubdtype(values.dtype, np.integer) and low >= 0:
        return 0, high if high >= 2**16 else 2 ** max(8, high.bit_length()) - 1
    return (0, 1) if 0 <= low and high <= 1 else (low, high)


def _eight_bits(image: Image.Image) -> Image.Image:
    """A grey picture of 16 or 32 bits, or of floats, with 8."""
    values = np.asarray(image)
    tags = _tags(image)
    if image.mode == "I" and tags and tags.get(_FORMAT, (1,))[0] == 1:
        values = values.view(np.uint32)  # Pillow knows no 32 bits without a sign
    black, white = levels(values)
    share = (values.astype(np.float64) - black) / max(white - black, np.finfo(np.float64).tiny)
    if tags.get(_MEANING) == 0:  # which is white
        share = 1 - share
    return Image.fromarray(np.rint(255 * share).astype(np.uint8))


def _tags(image: Image.Image) -> Mapping:
    """Those of a TIFF file; of other pictures there are none."""
    return getattr(image, "tag_v2", {})


def _bands(count: int) -> str:
    return f"it has {count} bands and RGB would lose some; save those that matter as grey, RGB or RGBA"


def unknown_tiff(encoded: bytes) -> str | None:
    """Why Pillow does not know a TIFF file, from its header; None where the bytes are none."""
    if encoded[:4] not in (b"II*\0", b"MM\0*"):
        return None
    tags = TiffImagePlugin.ImageFileDirectory_v2(encoded[:8])
    file = io.BytesIO(encoded)
    try:
        file.seek(tags.next)
        tags.load(file)
    except Exception:  # struct.error, SyntaxError and more
        return None
    samples, bits = tags.get(_SAMPLES, 1), tags.get(_BITS, (1,))
    kind = {1: "unsigned", 2: "signed", 3: "float"}.get(tags.get(_FORMAT, (1,))[0], "other")
    if samples > 1:
        return _bands(samples)
    return f"its pixels are {kind} numbers of {bits[0]} bits, which are not read; save them with 8, 16 or 32"
