"""SupCon: SimCLR told the labels: all views of one class attract."""

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
    "sup_con",
    paper="Khosla et al., Supervised Contrastive Learning, arXiv:2004.11362",
    asks=("labels",),
    golden="formula",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _RESNET,
    projector: tuple[int, ...] = (2048, 128),
    temperature: float = 0.1,
    exchange: str = "gather",
) -> Method:
    """Builds supervised contrastive learning.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.simclr``.
      encoder: see ``encoders.make``.
      projector: widths of the projection head; it has no batch norm.
      temperature: of the softmax.
      exchange: how the batch of all devices is compared, ``"gather"`` or ``"ring"``: see ``objectives.nt_xent``.
    """
    nets = Networks(
        encoder=encoders.make("image", encoder, image_size=image.size, dtype=given.dtype),
        projector=mlp(projector, given.dtype, batch_norm=False),
    )

    def compare(outputs, targets, labels, axis_name):
        return objectives.sup_con_loss(
            *outputs["projector"], labels, temperature=temperature, exchange=exchange, axis_name=axis_name
        )

    return joint_embedding(
        "sup_con",
        given,
        image,
        (image.view(given, views.simclr),) * 2,
        nets,
        compare=compare,
        forward=Run.together,
        coupled="every example is compared with every other",
        labels=True,
    )
