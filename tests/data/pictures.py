"""Small real images for the data tests."""

import io
import struct

import numpy as np
from PIL import ExifTags, Image


def picture(number, size=16):
    """A lossless image that is different for every number."""
    pixels = np.random.default_rng(number).integers(0, 256, (size, size, 3), np.uint8)
    pixels[0, 0] = number % 256
    return pixels


def save(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def encode(pixels, kind="PNG", **options):
    return save(Image.fromarray(pixels), kind, **options)


def stored(pixels, orientation):
    """How a camera that is held otherwise stores an upright picture."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return image.transpose(undo[orientation]) if orientation in undo else image, exif


def ramp(low, high, dtype):
    return np.linspace(low, high, 64).round(6 if np.issubdtype(dtype, np.floating) else 0).astype(dtype).reshape(8, 8)


def tiff(values, **tags):
    """A TIFF of one strip, of any type of number and count of bands, as Pillow does not write all of them."""
    bands = values.shape[2] if values.ndim == 3 else 1
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    bits = 8 * values.dtype.itemsize
    extra = {"photometric": 1, **tags}
    fields = [
        (256, 3, [values.shape[1]]),
        (257, 3, [values.shape[0]]),
        (258, 3, [bits] * bands),
        (259, 3, [1]),
        (262, 3, [extra["photometric"]]),
        (273, 4, [8]),
        (277, 3, [bands]),
        (278, 3, [values.shape[0]]),
        (279, 4, [values.nbytes]),
        (338, 3, extra.get("extra", [])),
        (339, 3, [kind] * bands),
    ]
    data = values.astype(values.dtype.newbyteorder("<")).tobytes()
    data += b"\0" * (len(data) % 2)
    later, entries = b"", b""
    fields = [field for field in fields if field[2]]
    end = 8 + len(data) + 2 + 12 * len(fields) + 4
    for tag, code, numbers in fields:
        packed = struct.pack(f"<{len(numbers)}{'H' if code == 3 else 'I'}", *numbers)
        if len(packed) > 4:
            packed, later = struct.pack("<I", end + len(later)), later + packed
        entries += struct.pack("<HHI", tag, code, len(numbers)) + packed.ljust(4, b"\0")
    directory = struct.pack("<H", len(fields)) + entries + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + later
