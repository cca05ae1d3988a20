"""MoCo v1 and v2: a query attracts the EMA encoder's key of the same image and repels a queue of past keys."""

import jax
import jax.numpy as jnp

from jssl import collectives, objectives, views
from jssl.methods import networks
from jssl.methods.method import Aux, Method
from jssl.methods.registry import register


@register(
    "moco",
    paper="Chen et al., Improved Baselines with Momentum Contrastive Learning, arXiv:2003.04297",
    needs=("teacher", "queue"),
    golden="moco_queue",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    temperature: float = 0.2,
    projector: tuple[int, ...] = (2048, 128),
    queue_size: int = 65536,
    symmetric: bool = False,
) -> Method:
    """Builds MoCo v2.

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crops, pixels.
      dtype: compute dtype.
      augmentation: changes to ``views.moco_v2``.
      temperature: of the softmax over one positive and the queue.
      projector: widths of the two-layer head.
      queue_size: negatives kept, at least the global batch (twice the batch when symmetric).
      symmetric: also use view b as query and view a as key, and enqueue both.
    """
    stack = {
        "encoder": networks.make_encoder(image_size=image_size, dtype=dtype, **encoder),
        "projector": networks.make_mlp(*projector, dtype=dtype, batch_norm=False),
    }
    augment = views.moco_v2(image_size, **(augmentation or {}))
    return momentum_contrast(
        "moco", stack, augment, dim=projector[-1], temperature=temperature, queue_size=queue_size, symmetric=symmetric
    )


@register(
    "moco_v1",
    paper="He et al., Momentum Contrast for Unsupervised Visual Representation Learning, arXiv:1911.05722",
    needs=("teacher", "queue"),
    golden="moco_queue",
)
def build_v1(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    temperature: float = 0.07,
    dim: int = 128,
    queue_size: int = 65536,
) -> Method:
    """Builds MoCo v1: one linear layer for a head, weaker augmentation, a colder softmax.

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crops, pixels.
      dtype: compute dtype.
      augmentation: changes to ``views.moco_v1``.
      temperature: of the softmax over one positive and the queue.
      dim: width of the linear projection.
      queue_size: negatives kept, at least the global batch.
    """
    stack = {
        "encoder": networks.make_encoder(image_size=image_size, dtype=dtype, **encoder),
        "projector": networks.make_linear(dim, dtype=dtype),
    }
    augment = views.moco_v1(image_size, **(augmentation or {}))
    return momentum_contrast("moco_v1", stack, augment, dim=dim, temperature=temperature, queue_size=queue_size)


def momentum_contrast(
    name: str, stack, augment, *, dim: int, temperature: float, queue_size: int, symmetric: bool = False
) -> Method:
    """The method record of an encoder and projector (``stack``), their EMA copy and a queue of its keys, (K, dim).

    The authors shuffle examples between devices so that batch norm cannot leak which key belongs to which query;
    here batch norm is over the global batch, which leaks no more than a single large device does.
    """

    def make_views(key, example):
        key_a, key_b = jax.random.split(key)
        return {"a": augment(key_a, example["image"]), "b": augment(key_b, example["image"])}

    def init(key, batch):
        net_key, queue_key = jax.random.split(key)
        params, batch_stats = networks.init(stack, net_key, batch["a"])
        queue = objectives.l2_normalize(jax.random.normal(queue_key, (queue_size, dim)))
        # The key encoder's statistics are its own; + 0 makes them buffers of their own, too.
        return params, {
            "batch_stats": batch_stats,
            "teacher_batch_stats": jax.tree.map(lambda x: x + 0, batch_stats),
            "queue": queue,
            "pointer": jnp.zeros((), jnp.int32),
        }

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del step
        first, second = batch["a"], batch["b"]
        if symmetric:
            first, second = jnp.concatenate([first, second]), jnp.concatenate([second, first])
            keys = jnp.concatenate([keys, keys])
        query, batch_stats = networks.forward(
            stack, params, extra["batch_stats"], first, keys=keys, axis_name=axis_name
        )
        key, key_stats = networks.forward(stack, teacher, extra["teacher_batch_stats"], second, axis_name=axis_name)
        value = objectives.info_nce(
            query["projector"], key["projector"], temperature=temperature, negatives=extra["queue"], axis_name=axis_name
        )
        # The queue's order is that of the batch, an example's keys side by side: the same on any number of devices.
        own = key["projector"].astype(jnp.float32).reshape(-1, len(batch["a"]), dim).swapaxes(0, 1).reshape(-1, dim)
        updates = {
            "batch_stats": batch_stats,
            "teacher_batch_stats": key_stats,
            "keys": collectives.replicate(own[None], axis_name),
        }
        return value, Aux(updates, {}, query["encoder"][: len(batch["a"])])

    def update_extra(extra, updates):
        keys = updates["keys"].swapaxes(0, 1).reshape(-1, dim)  # (micro-batches, devices, rows, dim)
        queue, pointer = objectives.enqueue(extra["queue"], extra["pointer"], keys)
        statistics = {name: value for name, value in updates.items() if name != "keys"}
        return {**networks.mean_over_micro_batches(statistics), "queue": queue, "pointer": pointer}

    return Method(
        name,
        make_views,
        init,
        loss,
        update_extra,
        encode=networks.encode_with(stack["encoder"]),
        teacher=lambda params: params,
        coupled=networks.coupled(stack),
    )
