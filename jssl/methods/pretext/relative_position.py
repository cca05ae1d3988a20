"""Relative position: on which of eight sides of one patch does another lie?"""

import jax
import jax.numpy as jnp

from jssl import views
from jssl.methods.method import Method
from jssl.methods.options import Given, ImageInput
from jssl.methods.pretext.pieces import pretext
from jssl.methods.registry import register

_RESNET = {"name": "resnet18"}


@register(
    "relative_position",
    paper="Doersch et al., Unsupervised Visual Representation Learning by Context Prediction, arXiv:1505.05192",
    golden="formula",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _RESNET,
    patch: int = 8,
    gap: int = 2,
    jitter: int = 1,
    color: str = "projection",
    classifier: tuple[int, ...] = (512,),
) -> Method:
    """Builds relative patch position.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter: the crop that the patches are cut from. ``augment`` changes ``views.mae`` of the whole
        picture, without flips.
      encoder: see ``encoders.make``.
      patch: side of the patches.
      gap: pixels between them.
      jitter: largest displacement of each, below the gap.
      color: guard against chromatic aberration, ``"projection"`` or ``"dropping"``.
      classifier: widths of the hidden layers of the classifier.
    """
    view = image.view(given, views.mae, crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip_prob=0.0)

    def make_views(key, example):
        crop_key, pair_key = jax.random.split(key)
        whole = view.pixels(crop_key, example)
        pair = views.relative_position(pair_key, whole, patch=patch, gap=gap, jitter=jitter, color=color)
        return {"pieces": jnp.stack([pair["center"], pair["neighbor"]]), "label": pair["label"]}

    return pretext(
        "relative_position", given, image, encoder, make_views, size=patch, num_classes=8, classifier=classifier
    )
