"""SimSiam: predict the other view's projection and stop its gradient; no teacher, no negatives."""

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
    "simsiam",
    paper="Chen & He, Exploring Simple Siamese Representation Learning, arXiv:2011.10566",
    carries=("predictor",),
    golden="simsiam",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _RESNET,
    projector: tuple[int, ...] = (2048, 2048, 2048),
    predictor: tuple[int, ...] = (512, 2048),
) -> Method:
    """Builds SimSiam.

    The paper keeps the predictor's learning rate constant: ``config.optimizer.constant_rate = "^predictor"``.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.moco_v2``.
      encoder: see ``encoders.make``.
      projector: widths of the projector; batch norm follows every layer, the last one without scale and bias.
      predictor: widths of the predictor, a bottleneck; the last equals the projector's.
    """
    nets = Networks(
        encoder=encoders.make("image", encoder, image_size=image.size, dtype=given.dtype),
        projector=mlp(projector, given.dtype, final_batch_norm=True),
        predictor=mlp(predictor, given.dtype),
    )

    def compare(outputs, targets, labels, axis_name):
        (p_a, p_b), (z_a, z_b) = outputs["predictor"], outputs["projector"]
        a_to_b = objectives.simsiam_loss(p_a, z_b, axis_name=axis_name)
        return 0.5 * (a_to_b + objectives.simsiam_loss(p_b, z_a, axis_name=axis_name))

    view = image.view(given, views.moco_v2)
    return joint_embedding("simsiam", given, image, (view, view), nets, compare=compare)
