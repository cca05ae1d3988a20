"""Spectral contrastive learning: inner products of positives up, squared inner products of all other pairs down."""

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
    "spectral",
    paper="HaoChen et al., Provable Guarantees for Self-Supervised Deep Learning with Spectral Contrastive Loss, arXiv:2106.04156",
    golden="spectral_contrastive",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _RESNET,
    projector: tuple[int, ...] = (1000, 1000),
    mu: float = 1.0,
) -> Method:
    """Builds spectral contrastive learning.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.moco_v2``.
      encoder: see ``encoders.make``.
      projector: widths of the projection head, with batch norm after every layer, the last one without scale and bias.
      mu: embeddings longer than sqrt(mu) are scaled back to it.
    """
    nets = Networks(
        encoder=encoders.make("image", encoder, image_size=image.size, dtype=given.dtype),
        projector=mlp(projector, given.dtype, final_batch_norm=True),
    )

    def compare(outputs, targets, labels, axis_name):
        return objectives.spectral_contrastive_loss(*outputs["projector"], mu=mu, axis_name=axis_name)

    return joint_embedding(
        "spectral",
        given,
        image,
        (image.view(given, views.moco_v2),) * 2,
        nets,
        compare=compare,
        coupled="every example is a negative of every other",
    )
