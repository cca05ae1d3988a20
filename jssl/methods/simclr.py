"""SimCLR: two views of an image attract, all other views of the global batch repel."""

import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import networks
from jssl.methods.joint_embedding import joint_embedding, two_views
from jssl.methods.method import Method
from jssl.methods.registry import register


@register(
    "simclr", paper="Chen et al., A Simple Framework for Contrastive Learning, arXiv:2002.05709", golden="simclr_ntxent"
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    temperature: float = 0.5,
    projector: tuple[int, ...] = (2048, 128),
    final_batch_norm: bool = True,
    chunk_size: int | None = None,
) -> Method:
    """Builds SimCLR.

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crops, pixels.
      dtype: compute dtype.
      augmentation: changes to ``views.simclr``, e.g. ``{"blur_prob": 0.0}``.
      temperature: of NT-Xent; 0.5 for CIFAR-10, 0.1 for ImageNet in the paper.
      projector: widths of the projection head.
      final_batch_norm: normalise the last layer too, as the authors' code does.
      chunk_size: rows of the similarity matrix held at once; None holds it whole.
    """
    stack = {
        "encoder": networks.make_encoder(image_size=image_size, dtype=dtype, **encoder),
        "projector": networks.make_mlp(*projector, dtype=dtype, final_batch_norm=final_batch_norm),
    }

    def compare(outputs, targets, labels, axis_name):
        return objectives.nt_xent(
            *outputs["projector"], temperature=temperature, axis_name=axis_name, chunk_size=chunk_size
        )

    augment = views.simclr(image_size, **(augmentation or {}))
    return joint_embedding(
        "simclr",
        stack=stack,
        views=two_views(augment),
        compare=compare,
        forward=networks.forward_together,
        coupled="every example is a negative of every other, so a smaller batch is another loss",
    )
