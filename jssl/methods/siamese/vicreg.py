"""VICReg: equal embeddings of two views, every dimension with variance, no two dimensions alike."""

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
    "vicreg",
    paper="Bardes et al., VICReg: Variance-Invariance-Covariance Regularization, arXiv:2105.04906",
    golden="vicreg",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _RESNET,
    projector: tuple[int, ...] = (8192, 8192, 8192),
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
) -> Method:
    """Builds VICReg.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes both of ``views.byol``, which differ in blur and solarisation.
      encoder: see ``encoders.make``.
      projector: widths of the expander, with batch norm on the hidden layers.
      invariance: weight of the distance between the views.
      variance: weight of the hinge on each dimension's deviation.
      covariance: weight of the squared covariances.
    """
    nets = Networks(
        encoder=encoders.make("image", encoder, image_size=image.size, dtype=given.dtype),
        projector=mlp(projector, given.dtype),
    )
    weights = {"invariance": invariance, "variance": variance, "covariance": covariance}

    def compare(outputs, targets, labels, axis_name):
        return objectives.vicreg_loss(*outputs["projector"], axis_name=axis_name, **weights)

    return joint_embedding(
        "vicreg",
        given,
        image,
        (image.view(given, views.byol, 0), image.view(given, views.byol, 1)),
        nets,
        compare=compare,
        coupled="variances and covariances are taken over the whole batch",
    )
