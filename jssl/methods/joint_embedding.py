"""Two views of an image through one network, perhaps with an EMA copy, and a comparison of the two.

Most joint-embedding methods differ in nothing but the networks, the two augmentations and the comparison; those are the
arguments of ``joint_embedding``, and a method's file says what they are in its paper.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from jssl.methods import networks
from jssl.methods.method import Aux, Method


def two_views(first: Callable, second: Callable | None = None) -> Callable:
    """The view function of two augmentations: {"views": (2, S, S, 3), "label": ()}; the same one twice by default."""

    def make_views(key, example):
        keys = jax.random.split(key)
        images = [augment(k, example["image"]) for augment, k in zip((first, second or first), keys)]
        return {"views": jnp.stack(images), "label": example["label"]}

    return make_views


def views_first(batch):
    """(B, 2, S, S, 3) -> (2, B, S, S, 3)."""
    return jnp.swapaxes(batch["views"], 0, 1)


def joint_embedding(
    name: str,
    *,
    stack: Mapping[str, networks.Network],
    views: Callable,
    compare: Callable,
    coupled: str,
    teacher: tuple[str, ...] = (),
    forward: Callable = networks.forward_views,
) -> Method:
    """Builds the method record.

    Args:
      name: of the method.
      stack: ``encoder``, ``projector`` and perhaps ``predictor``, applied in this order.
      views: from ``two_views``.
      compare: (outputs, targets, labels, axis_name) -> loss. ``outputs`` and ``targets`` hold (2, B, D) by network name,
        the targets those of the EMA copy; without one they are the outputs.
      coupled: why accumulation would change the loss (see ``Method``).
      teacher: the networks that have an EMA copy; none by default.
      forward: how batch norm sees the two views: ``networks.forward_views`` or ``networks.forward_together``.
    """
    teacher_stack = {part: stack[part] for part in teacher}

    def init(key, batch):
        params, batch_stats = networks.init(stack, key, views_first(batch)[0])
        extra = {"batch_stats": batch_stats}
        if teacher:
            # Buffers of its own, which the step may donate.
            own = {part: jax.tree.map(lambda x: x + 0, batch_stats[part]) for part in teacher if part in batch_stats}
            extra["teacher_batch_stats"] = own
        return params, extra

    def loss(params, teacher_params, extra, batch, keys, *, step, axis_name):
        del step
        images = views_first(batch)
        outputs, batch_stats = forward(stack, params, extra["batch_stats"], images, keys=keys, axis_name=axis_name)
        updates, targets = {"batch_stats": batch_stats}, outputs
        if teacher:
            targets, updates["teacher_batch_stats"] = forward(
                teacher_stack, teacher_params, extra["teacher_batch_stats"], images, axis_name=axis_name
            )
        value = compare(outputs, targets, batch["label"], axis_name)
        return value, Aux(updates, {}, outputs["encoder"][0])

    return Method(
        name,
        views,
        init,
        loss,
        update_extra=lambda extra, updates: networks.mean_over_micro_batches(updates),
        encode=networks.encode_with(stack["encoder"]),
        teacher=(lambda params: {part: params[part] for part in teacher}) if teacher else None,
        coupled=coupled,
    )
