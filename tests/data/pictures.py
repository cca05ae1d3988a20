"""Small real images for the data tests."""

import io

import numpy as np
from PIL import Image


def picture(number, size=16):
    """A lossless image that is different for every number."""
    pixels = np.random.default_rng(number).integers(0, 256, (size, size, 3), np.uint8)
    pixels[0, 0] = number % 256
    return pixels


def encode(pixels, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()
