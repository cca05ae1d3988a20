"""SimCLR: two views of an image attract, all other views of the global batch repel."""

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import networks
from jssl.methods.method import Aux, Method
from jssl.methods.registry import register


@register(
    "simclr", paper="Chen et al., A Simple Framework for Contrastive Learning, arXiv:2002.05709", golden="simclr_ntxent"
)
def build(
    *, encoder, image_size: int, dtype=jnp.float32, augmentation=None, temperature: float = 0.5,
    projector: tuple[int, ...] = (2048, 128), final_batch_norm: bool = True, chunk_size: int | None = None,
) -> Method:  # fmt: skip
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
    augment = views.simclr(image_size, **(augmentation or {}))
    stack = {
        "encoder": networks.make_encoder(image_size=image_size, dtype=dtype, **encoder),
        "projector": networks.make_mlp(*projector, dtype=dtype, final_batch_norm=final_batch_norm),
    }

    def make_views(key, example):
        key_a, key_b = jax.random.split(key)
        return {"a": augment(key_a, example["image"]), "b": augment(key_b, example["image"])}

    def init(key, batch):
        params, batch_stats = networks.init(stack, key, batch["a"])
        return params, {"batch_stats": batch_stats}

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        images = jnp.concatenate([batch["a"], batch["b"]])
        both = jnp.concatenate([keys, keys])
        outputs, batch_stats = networks.forward(
            stack, params, extra["batch_stats"], images, keys=both, axis_name=axis_name
        )
        view_a, view_b = jnp.split(outputs["projector"], 2)
        value = objectives.nt_xent(view_a, view_b, temperature=temperature, axis_name=axis_name, chunk_size=chunk_size)
        return value, Aux({"batch_stats": batch_stats}, {}, jnp.split(outputs["encoder"], 2)[0])

    return Method(
        "simclr", make_views, init, loss,
        update_extra=lambda extra, updates: networks.mean_over_micro_batches(updates),
        encode=networks.encode_with(stack["encoder"]),
        coupled="every example is a negative of every other, so a smaller batch is another loss",
    )  # fmt: skip
