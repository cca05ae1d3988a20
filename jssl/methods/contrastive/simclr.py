"""SimCLR: two views of a picture attract, all other views of the global batch repel."""

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
    "simclr", paper="Chen et al., A Simple Framework for Contrastive Learning, arXiv:2002.05709", golden="simclr_ntxent"
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _RESNET,
    projector: tuple[int, ...] = (2048, 128),
    final_batch_norm: bool = True,
    temperature: float = 0.5,
    exchange: str = "gather",
) -> Method:
    """Builds SimCLR.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.simclr``.
      encoder: see ``encoders.make``.
      projector: widths of the projection head.
      final_batch_norm: normalise the last layer too, as the authors' code does.
      temperature: of NT-Xent; 0.5 for CIFAR-10, 0.1 for ImageNet in the paper.
      exchange: how the batch of all devices is compared, ``"gather"`` or ``"ring"``: see ``objectives.nt_xent``.
    """
    nets = Networks(
        encoder=encoders.make("image", encoder, image_size=image.size, dtype=given.dtype),
        projector=mlp(projector, given.dtype, final_batch_norm=final_batch_norm),
    )

    def compare(outputs, targets, labels, axis_name):
        return objectives.nt_xent(
            *outputs["projector"], temperature=temperature, axis_name=axis_name, exchange=exchange
        )

    return joint_embedding(
        "simclr",
        given,
        image,
        (image.view(given, views.simclr),) * 2,
        nets,
        compare=compare,
        forward=Run.together,
        coupled="every example is a negative of every other, so a smaller batch is another loss",
    )
