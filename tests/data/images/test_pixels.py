"""Every kind of pixel that picture files have, as 8 bits of RGB, upright."""

import struct
import zlib

import numpy as np
import pytest
from pictures import encode, picture, ramp, save, stored, tiff
from PIL import Image

from jssl.data.images.decode import decode_image, read_size
from jssl.data.images.pixels import levels


def blocks(height=32, width=64):
    """Four colours in four corners, which JPEG keeps nearly as they are."""
    colors = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], np.uint8)
    return colors.repeat(height // 2, 0).repeat(width // 2, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_pictures_are_upright(kind, orientation):
    upright = blocks()
    image, exif = stored(upright, orientation)
    encoded = save(image, kind, exif=exif, **{"WEBP": {"lossless": True}, "JPEG": {"subsampling": 0}}.get(kind, {}))
    pixels, size = decode_image(encoded)
    assert pixels.shape == upright.shape and size == (32, 64) == read_size(encoded)
    assert abs(pixels.astype(int) - upright).max() < (20 if kind == "JPEG" else 1)
    small, size = decode_image(encoded, (8, 16))
    assert size == (32, 64)
    corners = small[[1, 1, 6, 6], [1, 14, 1, 14]].astype(int)
    assert abs(corners - upright[[0, 0, -1, -1], [0, -1, 0, -1]]).max() < 60


def test_a_png_may_say_after_its_pixels_how_it_was_held():
    image, exif = stored(blocks(), 6)
    encoded = save(image)
    body = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    pixels, size = decode_image(encoded[:-12] + chunk + encoded[-12:])
    np.testing.assert_array_equal(pixels, blocks())
    assert size == (32, 64)


def test_a_palette_turns_too():
    image, exif = stored(blocks(), 6)
    pixels, _ = decode_image(save(image.convert("P", palette=Image.Palette.ADAPTIVE), exif=exif))
    np.testing.assert_array_equal(pixels, blocks())


@pytest.mark.parametrize(
    "values, black, white",
    [
        (ramp(0, 255, np.uint16), 0, 255),  # 8 bits kept in 16
        (ramp(0, 4095, np.uint16), 0, 4095),
        (ramp(300, 3000, np.uint16), 0, 4095),
        (ramp(0, 65535, np.uint16), 0, 65535),
        (ramp(0, 4095, np.int32), 0, 4095),
        (ramp(0, 10**9, np.int32), 0, 10**9),
        (ramp(-1000, 3000, np.int32), -1000, 3000),
        (ramp(0, 2**32 - 1, np.uint32), 0, 2**32 - 1),
        (ramp(-1000, 3000, np.int16), -1000, 3000),
        (ramp(0, 1, np.float32), 0, 1),
        (ramp(0.2, 0.5, np.float32), 0, 1),
        (ramp(-3, 500, np.float32), -3, 500),
        (ramp(0, 255, np.float32), 0, 255),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_deep_grey_is_scaled_by_its_range(values, black, white):
    expected = np.rint(255 * (values.astype(np.float64) - black) / (white - black)).astype(int)
    assert levels(values) == (black, white)
    for encoded in [tiff(values), *([save(Image.fromarray(values))] if values.dtype in (np.uint16,) else [])]:
        pixels, _ = decode_image(encoded)
        assert (abs(pixels - expected[..., None]) <= 1).all()
        assert len(np.unique(pixels)) > 15


def test_white_may_be_zero():
    values = ramp(0, 65535, np.uint16)
    pixels, _ = decode_image(tiff(values, photometric=0))
    np.testing.assert_array_equal(pixels[..., 0], 255 - decode_image(tiff(values))[0][..., 0])


def test_a_deep_picture_of_one_value():
    assert (decode_image(tiff(np.full((4, 4), -3.5, np.float32)))[0] == 0).all()
    assert (decode_image(tiff(np.full((4, 4), 65535, np.uint16)))[0] == 255).all()


def test_values_that_are_no_numbers():
    with pytest.raises(ValueError, match="NaN or infinite; save the picture"):
        decode_image(tiff(np.array([[0, np.nan]], np.float32)))


@pytest.mark.parametrize("photometric", [1, 2])
@pytest.mark.parametrize("bands", [4, 5, 7])
def test_no_band_is_dropped(bands, photometric):
    values = np.zeros((4, 6, bands), np.uint8)
    extra = [0] * (bands - (3 if photometric == 2 else 1))
    with pytest.raises(ValueError, match=f"^it has {bands} bands and RGB would lose some; save those"):
        decode_image(tiff(values, photometric=photometric, extra=extra))


@pytest.mark.parametrize("kind, told", [(np.uint64, "unsigned"), (np.float64, "float")])
def test_numbers_that_are_not_read(kind, told):
    with pytest.raises(ValueError, match=f"its pixels are {told} numbers of 64 bits, which are not read; save them"):
        decode_image(tiff(np.zeros((4, 4), kind)))


def test_the_first_picture_of_an_animation():
    frames = [Image.fromarray(picture(i)) for i in range(3)]
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})):
        encoded = save(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        np.testing.assert_array_equal(decode_image(encoded)[0], picture(0))
    grey = [Image.new("P", (4, 4), i) for i in (7, 100)]
    for frame in grey:
        frame.putpalette([i for i in range(256) for _ in range(3)])
    assert (decode_image(save(grey[0], "GIF", save_all=True, append_images=grey[1:]))[0] == 7).all()


def test_a_colour_may_stand_for_transparency():
    pixels = np.full((4, 4, 3), 50, np.uint8)
    pixels[0] = (1, 2, 3)
    decoded, _ = decode_image(save(Image.fromarray(pixels), transparency=(1, 2, 3)))
    assert (decoded[0] == 255).all() and (decoded[1:] == 50).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_pictures_of_one_pixel(shape, kind):
    pixels, size = decode_image(encode(np.full((*shape, 3), 90, np.uint8), kind), (12, 12))
    assert size == shape and pixels.shape == (12, 12, 3) and (abs(pixels.astype(int) - 90) < 4).all()
