"""BYOL: predict the EMA network's projection of the other view; no negatives."""

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
    "byol",
    paper="Grill et al., Bootstrap Your Own Latent, arXiv:2006.07733",
    carries=("teacher", "predictor"),
    golden="byol",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _RESNET,
    projector: tuple[int, ...] = (4096, 256),
    predictor: tuple[int, ...] = (4096, 256),
) -> Method:
    """Builds BYOL. The loss is the sum of the two directions, as in the paper, whose learning rates count on it.

    The teacher's momentum rises to 1 over the run: ``config.ema``, 0.996 in the paper.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes both of ``views.byol``, which differ in blur and solarisation.
      encoder: see ``encoders.make``.
      projector: widths of the projector, with batch norm on the hidden layer.
      predictor: widths of the predictor; the last equals the projector's.
    """
    nets = Networks(
        encoder=encoders.make("image", encoder, image_size=image.size, dtype=given.dtype),
        projector=mlp(projector, given.dtype),
        predictor=mlp(predictor, given.dtype),
    )

    def compare(online, target, labels, axis_name):
        (p_a, p_b), (z_a, z_b) = online["predictor"], target["projector"]
        a_to_b = objectives.byol_loss(p_a, z_b, axis_name=axis_name)
        return a_to_b + objectives.byol_loss(p_b, z_a, axis_name=axis_name)

    return joint_embedding(
        "byol",
        given,
        image,
        (image.view(given, views.byol, 0), image.view(given, views.byol, 1)),
        nets,
        compare=compare,
        tracked=("encoder", "projector"),
    )
