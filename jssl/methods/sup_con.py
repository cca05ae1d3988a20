"""SupCon: SimCLR told the labels: all views of one class attract."""

import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import networks
from jssl.methods.joint_embedding import joint_embedding, two_views
from jssl.methods.method import Method
from jssl.methods.registry import register


@register(
    "sup_con",
    paper="Khosla et al., Supervised Contrastive Learning, arXiv:2004.11362",
    needs=("labels",),
    golden="formula",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    temperature: float = 0.1,
    projector: tuple[int, ...] = (2048, 128),
) -> Method:
    """Builds supervised contrastive learning.

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crops, pixels.
      dtype: compute dtype.
      augmentation: changes to ``views.simclr``.
      temperature: of the softmax.
      projector: widths of the projection head; it has no batch norm.
    """
    stack = {
        "encoder": networks.make_encoder(image_size=image_size, dtype=dtype, **encoder),
        "projector": networks.make_mlp(*projector, dtype=dtype, batch_norm=False),
    }

    def compare(outputs, targets, labels, axis_name):
        return objectives.sup_con_loss(*outputs["projector"], labels, temperature=temperature, axis_name=axis_name)

    augment = views.simclr(image_size, **(augmentation or {}))
    return joint_embedding(
        "sup_con",
        stack=stack,
        views=two_views(augment),
        compare=compare,
        forward=networks.forward_together,
        coupled="every example is compared with every other",
    )
