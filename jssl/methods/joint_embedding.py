"""Two views of a picture through one network, perhaps with an EMA copy, and a comparison of the two.

Most joint-embedding methods differ in nothing but the networks, the two augmentations and the comparison; those are the
arguments of ``joint_embedding``, and a method's file says what they are in its paper.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jssl.methods import encoders, networks
from jssl.methods.method import Aux, Method
from jssl.methods.networks import Networks, Run
from jssl.methods.options import Given, ImageInput, ImageView


def joint_embedding(
    name: str,
    given: Given,
    image: ImageInput,
    views: tuple[ImageView, ImageView],
    nets: Networks,
    *,
    compare: Callable,
    coupled: str = "",
    tracked: tuple[str, ...] = (),
    forward: Callable = Run.each,
    labels: bool = False,
) -> Method:
    """Builds the method record.

    Args:
      name: of the method.
      given: the data.
      image: how pictures enter.
      views: the two augmentations.
      nets: ``encoder``, ``projector`` and perhaps ``predictor``, applied in this order.
      compare: (outputs, targets, labels, axis_name) -> loss. ``outputs`` and ``targets`` hold (2, B, D) by network name,
        the targets those of the EMA copy; without one they are the outputs. ``labels`` are (B,), or None.
      coupled: why accumulation would change the loss (see ``Method``): how examples are compared with each other.
      tracked: the networks that have an EMA copy; none by default.
      forward: how batch norm sees the two views: ``Run.each`` by itself, ``Run.together`` both at once.
      labels: whether the comparison asks for labels.
    """

    def make_views(key, example):
        keys = jax.random.split(key)
        made = {"views": jnp.stack([view(k, example) for view, k in zip(views, keys)])}
        return {**made, "label": example["label"]} if labels else made

    def run(net, names, batch):
        images = jnp.swapaxes(batch["views"], 0, 1)  # (2, B, S, S, 3)
        return forward(net, lambda net, view: net.chain(names, view), images)

    def init(key, batch):
        return nets.init(key, lambda net: run(net, nets.by_name, batch), tracked=tracked or None)

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del step
        student = nets.student(params, extra, keys=keys, axis_name=axis_name)
        outputs = run(student, nets.by_name, batch)
        targets, ema = outputs, None
        if tracked:
            ema = nets.teacher(teacher, extra, axis_name=axis_name)
            targets = run(ema, tracked, batch)
        value = compare(outputs, targets, batch.get("label"), axis_name)
        return value, Aux(networks.updates(student, ema), {}, outputs["encoder"][0])

    return Method(
        name,
        frozenset({"image", "label"} if labels else {"image"}),
        make_views,
        init,
        loss,
        encoders.readouts(nets, image.prepare(given), "projector"),
        teacher=(lambda params: {part: params[part] for part in tracked}) if tracked else None,
        coupled=coupled,
        fewest=2 if coupled else 1,
    )
