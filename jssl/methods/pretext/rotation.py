"""Rotation: by which quarter turns was a picture turned?"""

import jax

from jssl import views
from jssl.methods.method import Method
from jssl.methods.options import Given, ImageInput
from jssl.methods.pretext.pieces import pretext
from jssl.methods.registry import register

_RESNET = {"name": "resnet18"}


@register(
    "rotation",
    paper="Gidaris et al., Unsupervised Representation Learning by Predicting Image Rotations, arXiv:1803.07728",
    golden="formula",
)
def build(
    given: Given, *, image: ImageInput = ImageInput(), encoder: object = _RESNET, classifier: tuple[int, ...] = ()
) -> Method:
    """Builds rotation prediction: one of the four quarter turns per view (the paper feeds all four of each picture).

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.mae``.
      encoder: see ``encoders.make``.
      classifier: widths of the hidden layers of the classifier.
    """
    view = image.view(given, views.mae)

    def make_views(key, example):
        crop_key, turn_key = jax.random.split(key)
        turned, label = views.rotation(turn_key, view(crop_key, example))
        return {"pieces": turned[None], "label": label}

    return pretext("rotation", given, image, encoder, make_views, size=image.size, num_classes=4, classifier=classifier)
