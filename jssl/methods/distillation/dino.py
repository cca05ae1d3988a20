"""DINO: a student sees many crops, an EMA teacher two large ones, and both must name the same prototype."""

import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import encoders, networks
from jssl.methods.distillation.crops import crops_first, forward_crops
from jssl.methods.distillation.targets import target_metrics
from jssl.methods.method import Aux, Method
from jssl.methods.networks import Networks
from jssl.methods.options import Centering, Given, ImageInput, MultiCrop, PrototypeHead, Temperatures
from jssl.methods.registry import register

_VIT = {"name": "vit_small"}


@register(
    "dino",
    paper="Caron et al., Emerging Properties in Self-Supervised Vision Transformers, arXiv:2104.14294",
    carries=("teacher", "prototypes", "centre", "multi-crop"),
    golden="dino",
)
def build(
    given: Given,
    *,
    image: ImageInput = ImageInput(),
    crops: MultiCrop = MultiCrop(),
    encoder: object = _VIT,
    head: PrototypeHead = PrototypeHead(),
    temperature: Temperatures = Temperatures(),
    centering: Centering = Centering(),
) -> Method:
    """Builds DINO.

    The authors freeze the last layer for the first epoch: ``config.optimizer.freeze`` does it for any method. With
    ``centering.kind="sinkhorn"`` the targets are SwAV's balanced codes and so is the loss: alike in the paper's ablation
    (section 5.1), and faster in short runs.

    Args:
      given: the data and the compute dtype.
      image: how pictures enter; ``augment`` changes every crop's augmentation.
      crops: numbers, sizes and areas of the crops.
      encoder: see ``encoders.make``.
      head: the head before the prototypes.
      temperature: of both softmaxes.
      centering: of the targets.
    """
    backbone = encoders.make("image", encoder, image_size=image.size, dtype=given.dtype)
    nets = Networks(encoder=backbone, head=head.module(given.dtype))
    balanced = centering.kind == "sinkhorn"

    def init(key, batch):
        params, extra = nets.init(key, lambda net: forward_crops(net, ["head"], batch), tracked=nets.by_name)
        return params, extra if balanced else {**extra, "center": jnp.zeros(head.prototypes)}

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        ema = nets.teacher(teacher, extra, axis_name=axis_name)
        logits = ema.chain(nets.by_name, crops_first(batch["global"]))["head"]
        student = nets.student(params, extra, keys=keys, axis_name=axis_name)
        outputs, features = forward_crops(student, ["head"], batch)
        per_crop = logits.reshape(2, -1, head.prototypes)
        teacher_t = temperature.teacher_at(step)
        updates = networks.updates(student, ema)
        if balanced:
            codes = objectives.sinkhorn(logits, epsilon=teacher_t, num_iterations=3, axis_name=axis_name)
            targets = codes.reshape(per_crop.shape)
            value = objectives.swav_loss(outputs["head"], targets, temperature=temperature.student, axis_name=axis_name)
        else:
            targets = objectives.softmax_center(per_crop, extra["center"], temperature=teacher_t)  # to be watched
            value = objectives.dino_loss(
                outputs["head"],
                per_crop,
                extra["center"],
                student_temperature=temperature.student,
                teacher_temperature=teacher_t,
                axis_name=axis_name,
            )
            updates["center"] = objectives.update_center(
                extra["center"], logits, momentum=centering.momentum, axis_name=axis_name
            )
        return value, Aux(updates, target_metrics(targets, value, axis_name), features[0])

    return Method(
        "dino",
        frozenset({"image"}),
        crops.views(given, image, views.dino_global, views.dino_local),
        init,
        loss,
        encoders.readouts(nets, image.prepare(given), "head"),
        teacher=lambda params: params,
        coupled="targets are balanced over the whole batch" if balanced else "",
        fewest=2 if balanced else 1,
        reads_teacher=True,
        reads=encoders.last_blocks(backbone),
    )
