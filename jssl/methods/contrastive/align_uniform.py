"""Alignment and uniformity: the two terms that a contrastive loss tends to, optimised as they are."""

from jssl import objectives, views
from jssl.methods import encoders
from jssl.methods.heads import mlp
from jssl.methods.joint_embedding import joint_embedding
from jssl.methods.method import Method
from jssl.methods.networks import Networks, Run
from jssl.methods.options import Given, ImageInput
from jssl.methods.registry import register

_RESNET = {"name": "resnet18"}


@register(
    "align_uniform",
    paper="Wang and Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity on the "
    "Hypersphere, arXiv:2005.10242",
    golden="align_uniform",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _RESNET,
    projector: tuple[int, ...] = (128,),
    alpha: float = 2.0,
    t: float = 2.0,
    align_weight: float = 1.0,
    uniform_weight: float = 1.0,
) -> Method:
    """Builds alignment and uniformity. Batch norm sees both views together, as in the authors' code.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.moco_v1`` with crops from 8 % of the picture.
      encoder: see ``encoders.make``.
      projector: widths of the projection head; one linear layer in the paper.
      alpha: exponent of the alignment.
      t: sharpness of the uniformity.
      align_weight: of the alignment; the paper's ImageNet run weighs it 3, with t = 3.
      uniform_weight: of the uniformity.
    """
    nets = Networks(
        encoder=encoders.make("image", encoder, image_size=image.size, dtype=given.dtype),
        projector=mlp(projector, given.dtype),
    )
    weights = {"align_weight": align_weight, "uniform_weight": uniform_weight}

    def compare(outputs, targets, labels, axis_name):
        return objectives.align_uniform_loss(*outputs["projector"], alpha=alpha, t=t, axis_name=axis_name, **weights)

    return joint_embedding(
        "align_uniform",
        given,
        image,
        (image.view(given, views.moco_v1, crop_scale=(0.08, 1.0)),) * 2,
        nets,
        compare=compare,
        forward=Run.together,
        coupled="every pair of examples is pushed apart",
    )
