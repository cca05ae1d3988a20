"""SimSiam: predict the other view's projection and stop its gradient; no teacher, no negatives."""

import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import networks
from jssl.methods.joint_embedding import joint_embedding, two_views
from jssl.methods.method import Method
from jssl.methods.registry import register


@register(
    "simsiam",
    paper="Chen & He, Exploring Simple Siamese Representation Learning, arXiv:2011.10566",
    needs=("predictor",),
    golden="simsiam",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    projector: tuple[int, ...] = (2048, 2048, 2048),
    predictor: tuple[int, ...] = (512, 2048),
) -> Method:
    """Builds SimSiam.

    The paper keeps the predictor's learning rate constant: ``config.optimizer.constant_rate = "^predictor"``.

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crops, pixels.
      dtype: compute dtype.
      augmentation: changes to ``views.moco_v2``.
      projector: widths of the projector; batch norm follows every layer, the last one without scale and bias.
      predictor: widths of the predictor, a bottleneck; the last equals the projector's.
    """
    stack = {
        "encoder": networks.make_encoder(image_size=image_size, dtype=dtype, **encoder),
        "projector": networks.make_mlp(*projector, dtype=dtype, final_batch_norm=True),
        "predictor": networks.make_mlp(*predictor, dtype=dtype),
    }

    def compare(outputs, targets, labels, axis_name):
        (p_a, p_b), (z_a, z_b) = outputs["predictor"], outputs["projector"]
        a_to_b = objectives.simsiam_loss(p_a, z_b, axis_name=axis_name)
        return 0.5 * (a_to_b + objectives.simsiam_loss(p_b, z_a, axis_name=axis_name))

    augment = views.moco_v2(image_size, **(augmentation or {}))
    return joint_embedding(
        "simsiam", stack=stack, views=two_views(augment), compare=compare, coupled=networks.coupled(stack)
    )
