"""Rows of images in one picture."""

import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image


def _to_uint8(image) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[-1] not in (1, 3):
        raise ValueError(f"an image of the grid has shape {image.shape}; expected (H, W), (H, W, 1) or (H, W, 3)")
    if image.dtype == np.bool_:
        image = image.astype(np.float32)
    if image.dtype != np.uint8:
        image = np.round(np.clip(np.nan_to_num(image.astype(np.float32)), 0.0, 1.0) * 255.0).astype(np.uint8)
    return np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image


def image_grid(rows: Sequence[Sequence], *, gap: int = 2, background: int = 255, scale: int = 1) -> np.ndarray:
    """Lays out rows of images with a gap between them.

    Args:
        rows: rows of images, (H, W), (H, W, 1) or (H, W, 3), uint8, bool or float (clipped to [0, 1]). Sizes may
            differ: a cell takes the largest, and smaller images are centred. Rows may have different lengths.
        gap: pixels between cells and around the grid.
        background: grey level of the rest.
        scale: whole factor by which every pixel is repeated, to make 32 x 32 images visible.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: if there is no image, or one has another shape.

    >>> image_grid([[np.zeros((4, 4, 3)), np.ones((4, 4))]], gap=1).shape
    (6, 11, 3)
    """
    cells = [[_to_uint8(image).repeat(scale, axis=0).repeat(scale, axis=1) for image in row] for row in rows]
    if not any(cells):
        raise ValueError("image_grid got no images")
    height = max(image.shape[0] for row in cells for image in row)
    width = max(image.shape[1] for row in cells for image in row)
    columns = max(len(row) for row in cells)
    shape = (len(cells) * (height + gap) + gap, columns * (width + gap) + gap, 3)
    grid = np.full(shape, background, np.uint8)
    for i, row in enumerate(cells):
        for j, image in enumerate(row):
            top = gap + i * (height + gap) + (height - image.shape[0]) // 2
            left = gap + j * (width + gap) + (width - image.shape[1]) // 2
            grid[top : top + image.shape[0], left : left + image.shape[1]] = image
    return grid


def mask_image(image, mask, *, shade: float = 0.15) -> np.ndarray:
    """Darkens the patches of an image where ``mask`` is nonzero.

    Args:
        image: (H, W, 3) uint8 or float in [0, 1].
        mask: (h, w) with H and W multiples of h and w; nonzero patches are darkened.
        shade: what remains of a darkened pixel.

    Returns:
        (H, W, 3) uint8.

    >>> mask_image(np.ones((4, 4, 3)), np.array([[1, 0], [0, 0]]), shade=0.0)[..., 0].sum() // 255
    np.uint64(12)
    """
    pixels, mask = _to_uint8(image).astype(np.float32), np.asarray(mask) != 0
    if mask.ndim != 2 or pixels.shape[0] % mask.shape[0] or pixels.shape[1] % mask.shape[1]:
        raise ValueError(f"mask of shape {mask.shape} does not divide an image of shape {pixels.shape}")
    mask = mask.repeat(pixels.shape[0] // mask.shape[0], axis=0).repeat(pixels.shape[1] // mask.shape[1], axis=1)
    return np.round(np.where(mask[..., None], pixels * shade, pixels)).astype(np.uint8)


def save_png(path: str | pathlib.Path, array: np.ndarray) -> None:
    """Writes a (H, W, 3) uint8 array as PNG, making the folder if needed.

    >>> import tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "grid.png"
    >>> save_png(path, np.zeros((2, 2, 3), np.uint8)); path.exists()
    True
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, format="PNG")
