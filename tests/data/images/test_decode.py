import io
import warnings

import numpy as np
import pytest
from pictures import encode, picture, save
from PIL import Image

from jssl.data.images.decode import decode_image, read_size


def test_png_is_exact_and_writable():
    decoded, size = decode_image(encode(picture(3)))
    assert size == (16, 16)
    np.testing.assert_array_equal(decoded, picture(3))
    decoded[0, 0] = 0


def test_grey_and_two_colour():
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    np.testing.assert_array_equal(decode_image(encode(grey))[0], np.repeat(grey[..., None], 3, -1))
    bits = save(Image.fromarray(grey > 30))
    np.testing.assert_array_equal(decode_image(bits)[0][..., 0], np.where(grey > 30, 255, 0))


def test_transparency_is_laid_on_white():
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[:2] = (200, 100, 0, 255)
    decoded, _ = decode_image(save(Image.fromarray(rgba)))
    assert (decoded[:2] == (200, 100, 0)).all() and (decoded[2:] == 255).all()
    grey = np.zeros((4, 4, 2), np.uint8)
    grey[:2] = (90, 255)
    decoded, _ = decode_image(save(Image.fromarray(grey)))
    assert (decoded[:2] == 90).all() and (decoded[2:] == 255).all()


def test_palette():
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    assert (decode_image(save(image))[0] == (10, 20, 30)).all()
    file = io.BytesIO()
    image.save(file, "PNG", transparency=1)
    assert (decode_image(file.getvalue())[0] == 255).all()


def test_cmyk_jpeg():
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    decoded, _ = decode_image(save(image, "JPEG"))
    assert decoded.shape == (8, 8, 3) and (abs(decoded.astype(int) - (255, 0, 0)) < 8).all()


def test_the_whole_picture_is_resized():
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, :30] = 255  # the left half stays the left half
    decoded, size = decode_image(encode(wide), (10, 12))
    assert size == (20, 60) and decoded.shape == (10, 12, 3)
    assert (decoded[:, :5] == 255).all() and (decoded[:, 7:] == 0).all()
    decoded, size = decode_image(encode(wide.transpose(1, 0, 2)), (12, 10))
    assert size == (60, 20) and (decoded[:5] == 255).all() and (decoded[7:] == 0).all()


def test_small_images_are_enlarged():
    decoded, size = decode_image(encode(np.full((5, 7, 3), 9, np.uint8)), (16, 16))
    assert decoded.tolist() == np.full((16, 16, 3), 9).tolist() and size == (5, 7)


def test_resizing_is_antialiased():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert abs(decode_image(encode(stripes), (8, 8))[0].astype(int) - 128).max() < 8


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP"])
def test_the_header_has_the_size(kind):
    encoded = encode(picture(1, 64)[:40], kind)
    assert read_size(encoded) == decode_image(encoded)[1] == (40, 64)
    with pytest.raises(ValueError, match="not a whole image"):
        read_size(b"no")


def test_jpeg_draft_is_close_to_the_full_decode():
    y, x = np.mgrid[:256, :320]
    pixels = np.stack([x * 255 // 320, y * 255 // 256, (x + y) * 255 // 576], -1).astype(np.uint8)
    encoded = encode(pixels, "JPEG", quality=95)
    for height, width in ((32, 32), (16, 64), (300, 20)):  # the last is enlarged in one direction
        full = Image.open(io.BytesIO(encoded)).resize((width, height), Image.Resampling.BICUBIC)
        decoded, size = decode_image(encoded, (height, width))
        assert abs(decoded - np.asarray(full).astype(int)).max() <= 6 and size == (256, 320)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP"])
def test_truncated_images_are_errors(kind):
    encoded = encode(picture(1, 64), kind)
    for keep in (len(encoded) // 2, 20, 0):
        with pytest.raises(ValueError, match="not a whole image"):
            decode_image(encoded[:keep])


def test_files_of_no_picture():
    with pytest.raises(ValueError, match=r"not a whole image .*known starts with b'<!DOCTYP'") as caught:
        decode_image(b"<!DOCTYPE html>")
    assert "BytesIO" not in str(caught.value)
    with pytest.raises(ValueError, match=r"not a whole image .*known starts with b'%!PS-Ado'"):  # nor one that is run
        decode_image(save(Image.new("RGB", (8, 8)), "EPS"))


@pytest.mark.parametrize("bound", [100, 200])  # twice over the bound, where Pillow raises, and once, where it warns
def test_a_bomb_is_an_error(monkeypatch, bound):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", bound)
    for read in (decode_image, read_size):
        with pytest.raises(ValueError, match="not a whole image .DecompressionBomb"):
            read(encode(picture(1, 16)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in most programs
            with pytest.raises(ValueError, match="not a whole image .DecompressionBomb.*pixels"):
                read(encode(picture(1, 16)))
