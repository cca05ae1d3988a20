"""Supervised training on the same step: the baseline beside which every table of encoders is read."""

import jax.numpy as jnp

from jssl import collectives, objectives, views
from jssl.methods import networks
from jssl.methods.method import Aux, Method
from jssl.methods.registry import register


@register(
    "supervised",
    paper="He et al., Deep Residual Learning for Image Recognition, arXiv:1512.03385",
    needs=("labels",),
    golden="formula",
)
def build(
    *,
    encoder,
    image_size: int,
    dtype=jnp.float32,
    augmentation=None,
    num_classes: int = 10,
    label_smoothing: float = 0.0,
) -> Method:
    """Builds supervised training: one view, one linear layer, cross-entropy.

    Args:
      encoder: options of ``networks.make_encoder``.
      image_size: side of the crop, pixels.
      dtype: compute dtype.
      augmentation: changes to ``views.mae``, crops and flips alone.
      num_classes: of the data set; a larger label gives no finite loss.
      label_smoothing: share of the target spread over all classes.
    """
    augment = views.mae(image_size, **(augmentation or {}))
    stack = {
        "encoder": networks.make_encoder(image_size=image_size, dtype=dtype, **encoder),
        "classifier": networks.make_linear(num_classes, dtype=dtype),
    }

    def make_views(key, example):
        return {"image": augment(key, example["image"]), "label": example["label"]}

    def init(key, batch):
        params, batch_stats = networks.init(stack, key, batch["image"])
        return params, {"batch_stats": batch_stats}

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        del teacher, step
        outputs, batch_stats = networks.forward(
            stack, params, extra["batch_stats"], batch["image"], keys=keys, axis_name=axis_name
        )
        logits = outputs["classifier"]
        value = objectives.cross_entropy_loss(
            logits, batch["label"], label_smoothing=label_smoothing, axis_name=axis_name
        )
        correct = (logits.argmax(-1) == batch["label"]).astype(jnp.float32).mean()
        metrics = {"accuracy": collectives.mean(correct, axis_name)}
        return value, Aux({"batch_stats": batch_stats}, metrics, outputs["encoder"])

    return Method(
        "supervised",
        make_views,
        init,
        loss,
        update_extra=lambda extra, updates: networks.mean_over_micro_batches(updates),
        encode=networks.encode_with(stack["encoder"]),
        coupled=networks.coupled(stack),
    )
