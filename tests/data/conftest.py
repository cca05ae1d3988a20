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
    return ArraySource({"image": np.stack([picture(i, 8) for i in range(50)]), "label": np.arange(50) % 10})


@pytest.fixture
def ragged(tree):
    """The tree with pictures of other shapes among those of 16 x 16; returns the root and name -> (height, width)."""
    sizes = {"train/ant/1.png": (24, 8), "train/cat/1.png": (5, 40), "test/dog/0.png": (30, 31)}
    for number, (name, (height, width)) in enumerate(sizes.items()):
        (tree / name).write_bytes(encode(picture(number, 40)[:height, :width]))
    return tree, sizes


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


@pytest.fixture
def damaged(tree):
    """The tree with one PNG cut in half: example 5 of train."""
    whole = tree / "train" / "cat" / "1.png"
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return tree
