"""Encoded bytes to upright uint8 RGB of a known size, and nothing else: augmentation happens on the device."""

import functools
import io
from collections.abc import Callable

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from jssl.data.images.pixels import PixelError, to_rgb, unknown_tiff

__all__ = ["decode_image", "read_size"]

# Of what Pillow opens, the formats that photos and scans have. EPS, for one, would start a program on a file's word.
_FORMATS = "AVIF BMP DIB GIF JPEG JPEG2000 MPO PNG PPM TIFF WEBP".split()
_SIDEWAYS = (5, 6, 7, 8)  # the orientations that change height and width


def read_size(encoded: bytes) -> tuple[int, int]:
    """Height and width of an image file, upright, from its header alone.

    Raises:
      ValueError: if the bytes are no image, or one too large to decode (see `decode_image`).
    """

    def read(image):
        # Of PNG alone the method of the class would decode the picture, in case that the tag comes after it.
        turned = image.format != "TIFF" and Image.Image.getexif(image).get(ExifTags.Base.Orientation) in _SIDEWAYS
        return image.size if turned else image.size[::-1]

    return _opened(encoded, read)


def decode_image(encoded: bytes, canvas: tuple[int, int] | None = None) -> tuple[np.ndarray, tuple[int, int]]:
    """Decodes PNG, JPEG and whatever else Pillow reads, of an animation the first picture.

    The picture is turned upright where its EXIF data say how the camera was held, and brought to RGB by `to_rgb`.

    Args:
      encoded: the bytes of one image file.
      canvas: height and width that the whole picture is resized to (bicubic, antialiased), whatever its aspect; None
        keeps the size of the file.

    Returns:
      (H, W, 3) uint8, and the height and width of the upright picture in the file.

    Raises:
      ValueError: if the bytes are not a whole image, or one with other bands than `to_rgb` takes, or with more pixels
        than ``PIL.Image.MAX_IMAGE_PIXELS``, about 90 million by default: a small file can announce a picture that does
        not fit in memory.

    >>> file = io.BytesIO()
    >>> Image.new("L", (8, 6), 255).save(file, "PNG")
    >>> image, size = decode_image(file.getvalue(), (4, 4))
    >>> image.shape, size
    ((4, 4, 3), (6, 8))
    """

    def decode(image):
        width, height = image.size
        if canvas is not None:
            # JPEG: decode at 1/2, 1/4 or 1/8 where both sides stay long enough, upright or not
            image.draft("RGB", (max(canvas), max(canvas)))
        image.load()
        if image.format == "TIFF":  # which Pillow turns itself
            width, height = image.size
        elif image.getexif().get(ExifTags.Base.Orientation) in _SIDEWAYS:
            width, height = height, width
        ImageOps.exif_transpose(image, in_place=True)
        image = to_rgb(image)
        if canvas is not None and image.size != canvas[::-1]:
            image = image.resize(canvas[::-1], Image.Resampling.BICUBIC, reducing_gap=2.0)
        return np.array(image, np.uint8), (height, width)

    return _opened(encoded, decode)


@functools.cache
def _formats() -> list[str]:
    """Those that this Pillow has."""
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def _opened(encoded: bytes, use: Callable):
    """use(image) of an image file that is opened but not decoded; whatever goes wrong is one ValueError."""
    try:
        with Image.open(io.BytesIO(encoded), formats=_formats()) as image:
            # Pillow raises at twice the bound and only warns below that.
            if Image.MAX_IMAGE_PIXELS is not None and image.width * image.height > Image.MAX_IMAGE_PIXELS:
                raise Image.DecompressionBombError(f"{image.height} x {image.width} pixels are too many")
            return use(image)
    except PixelError:
        raise
    except UnidentifiedImageError as error:
        told = unknown_tiff(encoded)
        raise ValueError(told or f"not a whole image (no format that is known starts with {encoded[:8]!r})") from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, zlib.error and more
        raise ValueError(f"not a whole image ({type(error).__name__}: {error})") from error
