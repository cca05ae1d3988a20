"""MoCo v1 and v2: a query attracts the EMA encoder's key of the same picture and repels a queue of past keys."""

import jax
import jax.numpy as jnp

from jssl import collectives, objectives, views
from jssl.methods import encoders, networks
from jssl.methods.heads import linear, mlp
from jssl.methods.method import Aux, Method, mean_over_micro_batches
from jssl.methods.networks import Networks
from jssl.methods.options import Given, ImageInput
from jssl.methods.registry import register

_RESNET = {"name": "resnet18"}


@register(
    "moco",
    paper="Chen et al., Improved Baselines with Momentum Contrastive Learning, arXiv:2003.04297",
    carries=("teacher", "queue"),
    golden="moco_queue",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _RESNET,
    projector: tuple[int, ...] = (2048, 128),
    temperature: float = 0.2,
    queue_size: int = 65536,
    symmetric: bool = False,
) -> Method:
    """Builds MoCo v2.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.moco_v2``.
      encoder: see ``encoders.make``.
      projector: widths of the two-layer head.
      temperature: of the softmax over one positive and the queue.
      queue_size: negatives kept, at least the global batch (twice the batch when symmetric).
      symmetric: also use view b as query and view a as key, and enqueue both.
    """
    head = mlp(projector, given.dtype, batch_norm=False)
    view, dim = image.view(given, views.moco_v2), projector[-1]
    return _momentum_contrast("moco", given, image, encoder, head, view, dim, temperature, queue_size, symmetric)


@register(
    "moco_v1",
    paper="He et al., Momentum Contrast for Unsupervised Visual Representation Learning, arXiv:1911.05722",
    carries=("teacher", "queue"),
    golden="moco_queue",
)
def build_v1(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _RESNET,
    dim: int = 128,
    temperature: float = 0.07,
    queue_size: int = 65536,
) -> Method:
    """Builds MoCo v1: one linear layer for a head, weaker augmentation, a colder softmax.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.moco_v1``.
      encoder: see ``encoders.make``.
      dim: width of the linear projection.
      temperature: of the softmax over one positive and the queue.
      queue_size: negatives kept, at least the global batch.
    """
    view = image.view(given, views.moco_v1)
    head = linear(dim, given.dtype)
    return _momentum_contrast("moco_v1", given, image, encoder, head, view, dim, temperature, queue_size, False)


def _momentum_contrast(name, given, image, encoder, projector, view, dim, temperature, queue_size, symmetric) -> Method:
    """The method record of an encoder and projector, their EMA copy and a queue of its keys, (K, dim).

    The authors shuffle examples between devices so that batch norm cannot leak which key belongs to which query;
    here batch norm is over the global batch, which leaks no more than a single large device does.
    """
    nets = Networks(
        encoder=encoders.make("image", encoder, image_size=image.size, dtype=given.dtype), projector=projector
    )

    def make_views(key, example):
        key_a, key_b = jax.random.split(key)
        return {"a": view(key_a, example), "b": view(key_b, example)}

    def init(key, batch):
        net_key, queue_key = jax.random.split(key)
        params, extra = nets.init(net_key, lambda net: net.chain(nets.by_name, batch["a"]), tracked=nets.by_name)
        queue = objectives.l2_normalize(jax.random.normal(queue_key, (queue_size, dim)))
        return params, {**extra, "queue": queue, "pointer": jnp.zeros((), jnp.int32)}

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del step
        first, second = batch["a"], batch["b"]
        if symmetric:
            first, second = jnp.concatenate([first, second]), jnp.concatenate([second, first])
            keys = jnp.concatenate([keys, keys])
        student = nets.student(params, extra, keys=keys, axis_name=axis_name)
        query = student.chain(nets.by_name, first)
        ema = nets.teacher(teacher, extra, axis_name=axis_name)
        key = ema.chain(nets.by_name, second)["projector"]
        value = objectives.info_nce(
            query["projector"], key, temperature=temperature, negatives=extra["queue"], axis_name=axis_name
        )
        # The queue's order is that of the batch, an example's keys side by side: the same on any number of devices.
        own = key.astype(jnp.float32).reshape(-1, len(batch["a"]), dim).swapaxes(0, 1).reshape(-1, dim)
        updates = {**networks.updates(student, ema), "keys": collectives.replicate(own[None], axis_name)}
        return value, Aux(updates, {}, query["encoder"][: len(batch["a"])])

    def update_extra(extra, updates):
        updates = dict(updates)
        keys = updates.pop("keys").swapaxes(0, 1).reshape(-1, dim)  # (micro-batches, devices, rows, dim)
        queue, pointer = objectives.enqueue(extra["queue"], extra["pointer"], keys)
        return {**mean_over_micro_batches(extra, updates), "queue": queue, "pointer": pointer}

    return Method(
        name,
        frozenset({"image"}),
        make_views,
        init,
        loss,
        encoders.readouts(nets, image.prepare(given), "projector"),
        update_extra,
        teacher=lambda params: params,
    )
