"""Alignment and uniformity: the two terms that a contrastive loss tends to, optimised as they are."""

import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import networks
from jssl.methods.joint_embedding import joint_embedding, two_views
from jssl.methods.method import Method
from jssl.methods.registry import register


@register(
    "align_uniform",
    paper="Wang and Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity on the "
    "Hypersphere, arXiv:2005.10242",
    golden="align_uniform",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    projector: tuple[int, ...] = (128,),
    alpha: float = 2.0,
    t: float = 2.0,
    align_weight: float = 1.0,
    uniform_weight: float = 1.0,
) -> Method:
    """Builds alignment and uniformity. Batch norm sees both views together, as in the authors' code.

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crops, pixels.
      dtype: compute dtype.
      augmentation: changes to ``views.moco_v1`` with crops from 8 % of the image.
      projector: widths of the projection head; one linear layer in the paper.
      alpha: exponent of the alignment.
      t: sharpness of the uniformity.
      align_weight: of the alignment; the paper's ImageNet run weighs it 3, with t = 3.
      uniform_weight: of the uniformity.
    """
    stack = {
        "encoder": networks.make_encoder(image_size=image_size, dtype=dtype, **encoder),
        "projector": networks.make_mlp(*projector, dtype=dtype),
    }

    def compare(outputs, targets, labels, axis_name):
        return objectives.align_uniform_loss(
            *outputs["projector"],
            alpha=alpha,
            t=t,
            align_weight=align_weight,
            uniform_weight=uniform_weight,
            axis_name=axis_name,
        )

    augment = views.moco_v1(image_size, **{"crop_scale": (0.08, 1.0), **(augmentation or {})})
    return joint_embedding(
        "align_uniform",
        stack=stack,
        views=two_views(augment),
        compare=compare,
        forward=networks.forward_together,
        coupled="every pair of examples is pushed apart",
    )
