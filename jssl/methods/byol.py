"""BYOL: predict the EMA network's projection of the other view; no negatives."""

import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import networks
from jssl.methods.joint_embedding import joint_embedding, two_views
from jssl.methods.method import Method
from jssl.methods.registry import register


@register(
    "byol",
    paper="Grill et al., Bootstrap Your Own Latent, arXiv:2006.07733",
    needs=("teacher", "predictor"),
    golden="byol",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    projector: tuple[int, ...] = (4096, 256),
    predictor: tuple[int, ...] = (4096, 256),
) -> Method:
    """Builds BYOL. The loss is the sum of the two directions, as in the paper, whose learning rates count on it.

    The teacher's momentum rises to 1 over the run: ``config.teacher``, 0.996 in the paper.

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crops, pixels.
      dtype: compute dtype.
      augmentation: changes to both of ``views.byol``, which differ in blur and solarisation.
      projector: widths of the projector, with batch norm on the hidden layer.
      predictor: widths of the predictor; the last equals the projector's.
    """
    first, second = (views.byol(image_size, which, **(augmentation or {})) for which in (0, 1))
    stack = {
        "encoder": networks.make_encoder(image_size=image_size, dtype=dtype, **encoder),
        "projector": networks.make_mlp(*projector, dtype=dtype),
        "predictor": networks.make_mlp(*predictor, dtype=dtype),
    }

    def compare(online, target, labels, axis_name):
        (p_a, p_b), (z_a, z_b) = online["predictor"], target["projector"]
        a_to_b = objectives.byol_loss(p_a, z_b, axis_name=axis_name)
        return a_to_b + objectives.byol_loss(p_b, z_a, axis_name=axis_name)

    return joint_embedding(
        "byol",
        stack=stack,
        views=two_views(first, second),
        compare=compare,
        coupled=networks.coupled(stack),
        teacher=("encoder", "projector"),
    )
