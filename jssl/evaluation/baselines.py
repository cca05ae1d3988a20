"""Features that cost nothing to learn. An encoder that does not beat them has learnt nothing."""

import numpy as np

__all__ = ["pixels"]


def pixels(train_images, test_images, *, size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Raw pixels of both splits, averaged down, centred by the mean training image and flattened.

    Centring matters to k-NN, whose cosine between all-positive images is near 1 whatever they show.

    Args:
      train_images: (N, H, W, C) uint8, or float in [0, 1].
      test_images: (M, H, W, C).
      size: larger images are averaged over whole blocks of pixels until their longer side is at most this; a border
        that fills no block is cropped.

    Returns:
      ((N, D), (M, D)) float32.

    Raises:
      ValueError: not images, or of two sizes.

    >>> train, test = pixels(np.full((2, 4, 4, 1), 255, np.uint8), np.zeros((1, 4, 4, 1), np.uint8), size=1)
    >>> train.tolist(), test.tolist()
    ([[0.0], [0.0]], [[-1.0]])
    """
    shapes = np.shape(train_images), np.shape(test_images)
    if len(shapes[0]) != 4 or shapes[0][1:] != shapes[1][1:]:
        raise ValueError(f"pixel features take (N, H, W, C) images of one size, not {shapes[0]} and {shapes[1]}")
    train, test = _shrink(train_images, size), _shrink(test_images, size)
    mean = train.mean(0, keepdims=True)
    return train - mean, test - mean


def _shrink(images, size: int, chunk: int = 1024) -> np.ndarray:
    """Block averages, flattened; in chunks, so that no float copy of all images is made."""
    scale = 255.0 if np.asarray(images[:0]).dtype == np.uint8 else 1.0
    height, width, channels = np.shape(images)[1:]
    block = -(-max(height, width) // size)
    rows, columns = height // block, width // block
    top, left = (height - rows * block) // 2, (width - columns * block) // 2
    done = [np.zeros((0, rows * columns * channels), np.float32)]
    for start in range(0, len(images), chunk):
        part = np.asarray(images[start : start + chunk])[:, top : top + rows * block, left : left + columns * block]
        blocks = part.reshape(len(part), rows, block, columns, block, channels).astype(np.float32)
        done.append(blocks.mean((2, 4)).reshape(len(part), -1) / np.float32(scale))
    return np.concatenate(done)
