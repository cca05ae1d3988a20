"""Small real images and data sets made in a temporary folder."""

import jax
import numpy as np
import pytest
from pictures import encode, picture

from jssl.data import ArraySource


@pytest.fixture
def mesh():
    return jax.make_mesh((4, 2), ("data", "fsdp"))


@pytest.fixture
def source():
    return ArraySource(np.stack([picture(i, 8) for i in range(50)]), np.arange(50) % 10)


@pytest.fixture
def tree(tmp_path):
    """train/<class>/ with 3 x 4 images, test/<class>/ with 3 x 2; returns the root."""
    number = 0
    for split, count in (("train", 4), ("test", 2)):
        for name in ("dog", "ant", "cat"):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                (folder / f"{i}.png").write_bytes(encode(picture(number)))
                number += 1
    return tmp_path / "images"
