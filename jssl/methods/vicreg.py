"""VICReg: equal embeddings of two views, every dimension with variance, no two dimensions alike."""

import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import networks
from jssl.methods.joint_embedding import joint_embedding, two_views
from jssl.methods.method import Method
from jssl.methods.registry import register


@register(
    "vicreg",
    paper="Bardes et al., VICReg: Variance-Invariance-Covariance Regularization, arXiv:2105.04906",
    golden="vicreg",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    projector: tuple[int, ...] = (8192, 8192, 8192),
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
) -> Method:
    """Builds VICReg.

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crops, pixels.
      dtype: compute dtype.
      augmentation: changes to both of ``views.byol``, which differ in blur and solarisation.
      projector: widths of the expander, with batch norm on the hidden layers.
      invariance: weight of the distance between the views.
      variance: weight of the hinge on each dimension's deviation.
      covariance: weight of the squared covariances.
    """
    first, second = (views.byol(image_size, which, **(augmentation or {})) for which in (0, 1))
    stack = {
        "encoder": networks.make_encoder(image_size=image_size, dtype=dtype, **encoder),
        "projector": networks.make_mlp(*projector, dtype=dtype),
    }

    def compare(outputs, targets, labels, axis_name):
        return objectives.vicreg_loss(
            *outputs["projector"], invariance=invariance, variance=variance, covariance=covariance, axis_name=axis_name
        )

    return joint_embedding(
        "vicreg",
        stack=stack,
        views=two_views(first, second),
        compare=compare,
        coupled="variances and covariances are taken over the whole batch",
    )
