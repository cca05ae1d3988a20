"""Barlow Twins: the cross-correlation of two views' embeddings should be the identity."""

import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import networks
from jssl.methods.joint_embedding import joint_embedding, two_views
from jssl.methods.method import Method
from jssl.methods.registry import register


@register(
    "barlow_twins",
    paper="Zbontar et al., Barlow Twins: Self-Supervised Learning via Redundancy Reduction, arXiv:2103.03230",
    golden="barlow_twins",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    projector: tuple[int, ...] = (8192, 8192, 8192),
    off_diagonal_weight: float = 0.0051,
) -> Method:
    """Builds Barlow Twins.

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crops, pixels.
      dtype: compute dtype.
      augmentation: changes to both of ``views.byol``, which differ in blur and solarisation.
      projector: widths of the projector, with batch norm on the hidden layers.
      off_diagonal_weight: of the redundancy term.
    """
    first, second = (views.byol(image_size, which, **(augmentation or {})) for which in (0, 1))
    stack = {
        "encoder": networks.make_encoder(image_size=image_size, dtype=dtype, **encoder),
        "projector": networks.make_mlp(*projector, dtype=dtype),
    }

    def compare(outputs, targets, labels, axis_name):
        return objectives.barlow_twins_loss(
            *outputs["projector"], off_diagonal_weight=off_diagonal_weight, axis_name=axis_name
        )

    return joint_embedding(
        "barlow_twins",
        stack=stack,
        views=two_views(first, second),
        compare=compare,
        coupled="correlations are taken over the whole batch",
    )
