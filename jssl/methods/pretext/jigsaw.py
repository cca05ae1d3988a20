"""Jigsaw: which of a set of far-apart permutations shuffled the tiles?"""

import jax
import jax.numpy as jnp

from jssl import views
from jssl.methods.method import Method
from jssl.methods.options import Given, ImageInput
from jssl.methods.pretext.pieces import pretext
from jssl.methods.registry import register

_RESNET = {"name": "resnet18"}


@register(
    "jigsaw",
    paper="Noroozi & Favaro, Unsupervised Learning by Solving Jigsaw Puzzles, arXiv:1603.09246",
    golden="formula",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _RESNET,
    grid: int = 3,
    tile: int = 8,
    num_permutations: int = 100,
    classifier: tuple[int, ...] = (512,),
) -> Method:
    """Builds jigsaw puzzles.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter: the crop that the tiles are cut from. ``augment`` changes ``views.mae`` of the whole
        picture, without flips.
      encoder: see ``encoders.make``.
      grid: tiles per side.
      tile: side of a tile, smaller than its cell: it is cut from a random place in it.
      num_permutations: answers.
      classifier: widths of the hidden layers of the classifier.
    """
    view = image.view(given, views.mae, crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip_prob=0.0)
    permutations = views.jigsaw_permutations(num_permutations, grid**2)

    def make_views(key, example):
        crop_key, tile_key = jax.random.split(key)
        whole = view.pixels(crop_key, example)
        puzzle = views.jigsaw(tile_key, whole, grid=grid, tile=tile, permutations=permutations)
        return {"pieces": puzzle["tiles"], "label": puzzle["label"]}

    def solve(tiles, label):
        cells = tiles if label is None else jnp.zeros_like(tiles).at[jnp.asarray(permutations)[label]].set(tiles)
        rows = cells.reshape(grid, grid, tile, tile, -1)
        return jnp.swapaxes(rows, 1, 2).reshape(grid * tile, grid * tile, -1)

    return pretext(
        "jigsaw",
        given,
        image,
        encoder,
        make_views,
        size=tile,
        num_classes=num_permutations,
        classifier=classifier,
        solve=solve,
    )
