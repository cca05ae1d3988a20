"""MoCo v3: a predicted query finds the EMA encoder's key of the other view among the keys of the whole batch."""

import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import networks
from jssl.methods.joint_embedding import joint_embedding, two_views
from jssl.methods.method import Method
from jssl.methods.registry import register


@register(
    "moco_v3",
    paper="Chen et al., An Empirical Study of Training Self-Supervised Vision Transformers, arXiv:2104.02057",
    needs=("teacher", "predictor"),
    golden="moco_v3",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    temperature: float = 0.2,
    projector: tuple[int, ...] = (4096, 4096, 256),
    predictor: tuple[int, ...] = (4096, 256),
    final_batch_norm: bool = True,
) -> Method:
    """Builds MoCo v3; the defaults are those for a ViT.

    A ResNet takes temperature 1, a two-layer projector, and no batch norm at the end of the predictor. For a ViT the
    paper leaves the random patch projection untrained, which it found to be what keeps training stable:
    ``config.optimizer.freeze = "patch_embed"`` with ``freeze_steps`` of the whole run.

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crops, pixels.
      dtype: compute dtype.
      augmentation: changes to both of ``views.byol``, which differ in blur and solarisation.
      temperature: of the softmax.
      projector: widths of the projector; batch norm follows every layer, the last one without scale and bias.
      predictor: widths of the predictor, normalised likewise.
      final_batch_norm: of the predictor: normalise its last layer, too.
    """
    first, second = (views.byol(image_size, which, **(augmentation or {})) for which in (0, 1))
    stack = {
        "encoder": networks.make_encoder(image_size=image_size, dtype=dtype, **encoder),
        "projector": networks.make_mlp(*projector, dtype=dtype, final_batch_norm=True),
        "predictor": networks.make_mlp(*predictor, dtype=dtype, final_batch_norm=final_batch_norm),
    }

    def compare(online, target, labels, axis_name):
        return objectives.moco_v3_loss(
            *online["predictor"], *target["projector"], temperature=temperature, axis_name=axis_name
        )

    return joint_embedding(
        "moco_v3",
        stack=stack,
        views=two_views(first, second),
        compare=compare,
        coupled="the keys of the batch are the negatives",
        teacher=("encoder", "projector"),
    )
