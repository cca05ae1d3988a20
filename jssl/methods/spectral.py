"""Spectral contrastive learning: inner products of positives up, squared inner products of all other pairs down."""

import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import networks
from jssl.methods.joint_embedding import joint_embedding, two_views
from jssl.methods.method import Method
from jssl.methods.registry import register


@register(
    "spectral",
    paper="HaoChen et al., Provable Guarantees for Self-Supervised Deep Learning with Spectral Contrastive Loss, arXiv:2106.04156",
    golden="spectral_contrastive",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    projector: tuple[int, ...] = (1000, 1000),
    mu: float = 1.0,
) -> Method:
    """Builds spectral contrastive learning.

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crops, pixels.
      dtype: compute dtype.
      augmentation: changes to ``views.moco_v2``.
      projector: widths of the projection head, with batch norm after every layer, the last one without scale and bias.
      mu: embeddings longer than sqrt(mu) are scaled back to it.
    """
    stack = {
        "encoder": networks.make_encoder(image_size=image_size, dtype=dtype, **encoder),
        "projector": networks.make_mlp(*projector, dtype=dtype, final_batch_norm=True),
    }

    def compare(outputs, targets, labels, axis_name):
        return objectives.spectral_contrastive_loss(*outputs["projector"], mu=mu, axis_name=axis_name)

    augment = views.moco_v2(image_size, **(augmentation or {}))
    return joint_embedding(
        "spectral",
        stack=stack,
        views=two_views(augment),
        compare=compare,
        coupled="every example is a negative of every other",
    )
