"""What iBOT and DINOv2 share: DINO on the class token, and the same on the patches that the student does not see."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import encoders, networks
from jssl.methods.distillation.crops import crops_first, encode_crops
from jssl.methods.distillation.targets import masked_targets, target_metrics
from jssl.methods.method import Aux, Method
from jssl.methods.networks import Networks
from jssl.methods.options import Centering, Given, ImageInput, MultiCrop, PrototypeHead, Temperatures


@dataclasses.dataclass(frozen=True)
class HiddenBlocks:
    """Blocks of patches that the student does not see.

    Attributes:
      ratio: range of the share of patches hidden.
      probability: that a large crop is masked at all.
    """

    ratio: tuple[float, float] = (0.1, 0.5)
    probability: float = 0.5


def masked_distillation(
    name: str,
    given: Given,
    image: ImageInput,
    crops: MultiCrop,
    encoder: object,
    head: PrototypeHead,
    mask: HiddenBlocks,
    temperature: Temperatures,
    centering: Centering,
    *,
    class_loss: Callable,
    shared_head: bool,
    koleo_weight: float = 0.0,
    gram_weight: float = 0.0,
    read_beside: str = "",
) -> Method:
    """Builds the method record.

    Args:
      name: of the method.
      given, image, crops, encoder, head, mask, temperature, centering: see ``ibot.build``.
      class_loss: (student's logits (S, B, K), teacher's targets (2, B, K), axis_name) -> loss.
      shared_head: class token and patches go through one head.
      koleo_weight: of the loss that spreads the class tokens of each large crop.
      gram_weight: of the loss that keeps the patches of a large crop as alike to the student as to the teacher.
      read_beside: what the paper's linear probe reads beside the class tokens of the last blocks.

    Raises:
      ValueError: an encoder that has no patches.
    """
    told = {"image_size": image.size, "dtype": given.dtype}
    vit = encoders.make_patches(name, encoder, mask_token=True, **told)
    patch_head = "head" if shared_head else "patch_head"
    heads = {part: head.module(given.dtype) for part in dict.fromkeys(("head", patch_head))}
    nets = Networks(encoder=vit, **heads)
    grid = image.size // vit.patch_size
    slots = max(1, int(mask.ratio[1] * grid**2))  # masked patches of a crop, at most
    make_crops = crops.views(given, image, views.dino_global, views.dino_local)

    def make_views(key, example):
        crop_key, mask_key = jax.random.split(key)
        return {**make_crops(crop_key, example), "mask": jax.vmap(make_mask)(jax.random.split(mask_key))}

    def make_mask(key):
        count_key, block_key = jax.random.split(key)
        count = views.masked_count(count_key, grid**2, ratio=tuple(mask.ratio), probability=mask.probability)
        return views.block_mask(block_key, grid, num_masked=count, max_block=max(1, grid**2 // 2))

    def hidden_patches(hidden):
        """The slots of each crop, (C, slots) places of its masked patches, and which slots are used."""
        places = jnp.argsort(~hidden, axis=1, stable=True)[:, :slots]
        return places, jnp.take_along_axis(hidden, places, 1)

    def student_pass(net, batch, hidden, places):
        """(class logits of all crops (S * B, K), patch logits of the large ones (2 * B, slots, K), their features)."""
        features = encode_crops(net, batch, masked=hidden)
        classes = net("head", jnp.concatenate([crop.pooled for crop in features]))
        # Only masked patches go through the head.
        patches = net(patch_head, jnp.take_along_axis(features[0].tokens, places[..., None], 1))
        return classes, patches, features[0]

    def init(key, batch):
        hidden = crops_first(batch["mask"])
        places, _ = hidden_patches(hidden)
        params, extra = nets.init(key, lambda net: student_pass(net, batch, hidden, places), tracked=nets.by_name)
        centers = {name: jnp.zeros(head.prototypes) for name in ("center", "patch_center")}
        return params, extra | (centers if centering.kind == "softmax" else {})

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        hidden = crops_first(batch["mask"])
        places, used = hidden_patches(hidden)
        teacher_t = temperature.teacher_at(step)
        balance = {"centering": centering, "temperature": teacher_t, "axis_name": axis_name}

        ema = nets.teacher(teacher, extra, axis_name=axis_name)
        seen = ema("encoder", crops_first(batch["global"]))
        class_logits = ema("head", seen.pooled)
        patch_logits = ema(patch_head, jnp.take_along_axis(seen.tokens, places[..., None], 1))
        class_targets, center = masked_targets(
            class_logits, jnp.ones(len(class_logits), bool), extra.get("center"), **balance
        )
        patch_targets, patch_center = masked_targets(
            patch_logits.reshape(-1, head.prototypes), used.reshape(-1), extra.get("patch_center"), **balance
        )

        student = nets.student(params, extra, keys=keys, axis_name=axis_name)
        classes, patches, large = student_pass(student, batch, hidden, places)
        per_crop = (-1, len(batch["global"]), head.prototypes)
        of_classes = class_loss(classes.reshape(per_crop), class_targets.reshape(per_crop), axis_name)
        of_patches = objectives.ibot_loss(
            patches,
            patch_targets.reshape(patches.shape),
            used,
            student_temperature=temperature.student,
            axis_name=axis_name,
        )
        value = of_classes + of_patches
        metrics = {
            "class_loss": of_classes,
            "patch_loss": of_patches,
            **target_metrics(class_targets, of_classes, axis_name),
        }
        if koleo_weight:
            spread = [objectives.koleo_loss(crop, axis_name=axis_name) for crop in jnp.split(large.pooled, 2)]
            value = value + koleo_weight * (spread[0] + spread[1])
            metrics["koleo_loss"] = spread[0]
        if gram_weight:
            metrics["gram_loss"] = objectives.gram_loss(large.tokens, seen.tokens, axis_name=axis_name)
            value = value + gram_weight * metrics["gram_loss"]
        updates = networks.updates(student, ema)
        if center is not None:
            updates |= {"center": center, "patch_center": patch_center}
        return value, Aux(updates, metrics, jnp.split(large.pooled, 2)[0])

    return Method(
        name,
        frozenset({"image"}),
        make_views,
        init,
        loss,
        encoders.readouts(nets, image.prepare(given), "head"),
        teacher=lambda params: params,
        coupled="targets are centred over the masked patches of the whole batch",
        reads_teacher=True,
        reads=encoders.last_blocks(vit, beside=read_beside),
    )
