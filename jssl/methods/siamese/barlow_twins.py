"""Barlow Twins: the cross-correlation of two views' embeddings should be the identity."""

from jssl import objectives, views
from jssl.methods import encoders
from jssl.methods.heads import mlp
from jssl.methods.joint_embedding import joint_embedding
from jssl.methods.method import Method
from jssl.methods.networks import Networks
from jssl.methods.options import Given, ImageInput
from jssl.methods.registry import register

_RESNET = {"name": "resnet18"}


@register(
    "barlow_twins",
    paper="Zbontar et al., Barlow Twins: Self-Supervised Learning via Redundancy Reduction, arXiv:2103.03230",
    golden="barlow_twins",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _RESNET,
    projector: tuple[int, ...] = (8192, 8192, 8192),
    off_diagonal_weight: float = 0.0051,
) -> Method:
    """Builds Barlow Twins.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes both of ``views.byol``, which differ in blur and solarisation.
      encoder: see ``encoders.make``.
      projector: widths of the projector, with batch norm on the hidden layers.
      off_diagonal_weight: of the redundancy term.
    """
    nets = Networks(
        encoder=encoders.make("image", encoder, image_size=image.size, dtype=given.dtype),
        projector=mlp(projector, given.dtype),
    )

    def compare(outputs, targets, labels, axis_name):
        return objectives.barlow_twins_loss(
            *outputs["projector"], off_diagonal_weight=off_diagonal_weight, axis_name=axis_name
        )

    return joint_embedding(
        "barlow_twins",
        given,
        image,
        (image.view(given, views.byol, 0), image.view(given, views.byol, 1)),
        nets,
        compare=compare,
        coupled="correlations are taken over the whole batch",
    )
