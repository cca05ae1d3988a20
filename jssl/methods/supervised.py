"""Supervised training on the same step: the baseline beside which every table of encoders is read."""

import jax
import jax.numpy as jnp

from jssl import collectives, objectives, views
from jssl.methods import encoders, networks
from jssl.methods.heads import linear
from jssl.methods.method import Aux, Method
from jssl.methods.networks import Networks
from jssl.methods.options import Given, ImageInput
from jssl.methods.registry import register

_RESNET = {"name": "resnet18"}


@register(
    "supervised",
    paper="He et al., Deep Residual Learning for Image Recognition, arXiv:1512.03385",
    asks=("labels",),
    golden="formula",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    encoder: object = _RESNET,
    label_smoothing: float = 0.0,
    mixup: float = 0.0,
) -> Method:
    """Builds supervised training: one view, one linear layer, cross-entropy over the classes of the data set.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes ``views.mae``, crops and flips alone.
      encoder: see ``encoders.make``.
      label_smoothing: share of the target spread over all classes.
      mixup: both parameters of the beta distribution of a share, by which each example of a batch is mixed with the one
        before it, and so is its loss (arXiv:1710.09412); 0 mixes none.

    Raises:
      ValueError: a data set that does not say its classes, or a negative ``mixup``.
    """
    if mixup < 0:
        raise ValueError(f"method.mixup={mixup} is no parameter of a beta distribution; use 0 to mix nothing")
    if not given.about.num_classes:
        raise ValueError("supervised needs the names of the classes; the data set has none (about.class_names)")
    view = image.view(given, views.mae)
    nets = Networks(
        encoder=encoders.make("image", encoder, image_size=image.size, dtype=given.dtype),
        classifier=linear(given.about.num_classes, given.dtype),
    )

    def make_views(key, example):
        made = {"image": view(key, example), "label": example["label"]}
        # One share for the whole batch, as in the authors' code.
        return {**made, "share": jax.random.beta(example["batch_key"], mixup, mixup)} if mixup else made

    def init(key, batch):
        return nets.init(key, lambda net: net.chain(nets.by_name, batch["image"]))

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        net = nets.student(params, extra, keys=keys, axis_name=axis_name)
        images = batch["image"]
        if mixup:
            share = collectives.mean(batch["share"].mean(), axis_name)  # the same in all examples, and now known to be
            images = share.astype(images.dtype) * images + (1 - share).astype(images.dtype) * _before(images, axis_name)
        outputs = net.chain(nets.by_name, images)
        logits = outputs["classifier"]

        def against(labels):
            return objectives.cross_entropy_loss(logits, labels, label_smoothing=label_smoothing, axis_name=axis_name)

        value = against(batch["label"])
        if mixup:
            value = share * value + (1 - share) * against(_before(batch["label"], axis_name))
        correct = (logits.argmax(-1) == batch["label"]).astype(jnp.float32).mean()
        metrics = {"accuracy": collectives.mean(correct, axis_name)}
        return value, Aux(networks.updates(net), metrics, outputs["encoder"])

    return Method(
        "supervised",
        frozenset({"image", "label"}),
        make_views,
        init,
        loss,
        encoders.readouts(nets, image.prepare(given), "classifier"),
        coupled="examples are mixed with each other" if mixup else "",
    )


def _before(x: jax.Array, axis_name) -> jax.Array:
    """The example before each one in the whole batch; the last one's before the first."""
    return jnp.concatenate([collectives.shift(x[-1:], axis_name), x[:-1]])
