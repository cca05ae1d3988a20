"""What iBOT and DINOv2 share: DINO on the class token, and the same on the patches that the student does not see."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jssl import objectives, views
from jssl.methods import networks
from jssl.methods.crops import check_centering, crops_first, target_metrics, targets, warmup
from jssl.methods.method import Aux, Method


def masked_distillation(
    name: str,
    *,
    encoder,
    heads: Mapping[str, networks.Network],
    prototypes: int,
    image_size: int,
    dtype,
    augmentation,
    local_size: int,
    num_local: int,
    global_scale,
    local_scale,
    mask_ratio: tuple[float, float],
    mask_probability: float,
    student_temperature: float,
    teacher_temperature: float,
    warmup_teacher_temperature: float,
    teacher_temperature_warmup_steps: int,
    centering: str,
    center_momentum: float,
    koleo_weight: float,
) -> Method:
    """Builds the method record.

    Args:
      name: of the method.
      heads: ``head`` for class token and patches alike; with ``patch_head`` the patches have one of their own.
      prototypes: outputs of every head.
      centering: see ``crops.targets``.
      koleo_weight: of the loss that spreads the class tokens of each global crop.

      The others are those of ``ibot.build``.

    Raises:
      ValueError: an unknown centering, or an encoder that has no patches.
    """
    check_centering(centering)
    network = networks.make_vit(name, image_size=image_size, dtype=dtype, **{"mask_token": True, **encoder})
    vit = network.module
    grid = image_size // vit.patch_size
    slots = max(1, int(mask_ratio[1] * grid**2))  # masked patches of a crop, at most
    patch_head = "patch_head" if "patch_head" in heads else "head"
    changes = dict(augmentation or {})
    large = [views.dino_global(image_size, which, crop_scale=tuple(global_scale), **changes) for which in (0, 1)]
    small = views.dino_local(local_size, crop_scale=tuple(local_scale), **changes)

    def make_views(key, example):
        crop_key, mask_key = jax.random.split(key)
        crops = views.multi_crop(
            crop_key, example["image"], global_augmentations=large, local_augmentation=small, num_local=num_local
        )
        return {**crops, "mask": jax.vmap(make_mask)(jax.random.split(mask_key))}

    def make_mask(key):
        count_key, block_key = jax.random.split(key)
        count = views.masked_count(count_key, grid**2, ratio=tuple(mask_ratio), probability=mask_probability)
        return views.block_mask(block_key, grid, num_masked=count, max_block=max(1, grid**2 // 2))

    def init(key, batch):
        encoder_key, head_key = jax.random.split(key)
        images = batch["global"][:, 0]
        variables = vit.init(encoder_key, images)
        pooled, _ = vit.apply(variables, images)
        params = {"encoder": variables["params"]}
        for i, (part, head) in enumerate(heads.items()):
            params |= networks.init({part: head}, jax.random.fold_in(head_key, i), pooled)[0]
        centers = {"center": jnp.zeros(prototypes), "patch_center": jnp.zeros(prototypes)}
        return params, centers if centering == "softmax" else {}

    def apply(head, params, x, axis_name):
        # Batch norm in a head takes this batch's statistics; running ones are not kept, since features need no head.
        return networks.forward({head: heads[head]}, params, {}, x, axis_name=axis_name)[0][head]

    def targets_of(logits, mask, center, temperature, axis_name):
        return targets(
            logits,
            mask,
            center,
            centering=centering,
            temperature=temperature,
            center_momentum=center_momentum,
            axis_name=axis_name,
        )

    def loss(params, teacher, extra, batch, keys, *, step, axis_name):
        images, mask = crops_first(batch["global"]), crops_first(batch["mask"])
        temperature = warmup(step, warmup_teacher_temperature, teacher_temperature, teacher_temperature_warmup_steps)
        crop_keys = [networks.fold_in(keys, crop) for crop in range(2 + num_local)]
        take = jax.vmap(lambda tokens, indices: tokens[indices])
        # Only masked patches go through the heads: the slots of each crop, the unused ones marked as such.
        masked = jnp.argsort(~mask, axis=1, stable=True)[:, :slots]
        valid = take(mask, masked)

        pooled, tokens = vit.apply({"params": teacher["encoder"]}, images)
        class_logits = apply("head", teacher, pooled, axis_name)
        class_target, center = targets_of(
            class_logits, jnp.ones(len(class_logits), bool), extra.get("center"), temperature, axis_name
        )
        patch_logits = apply(patch_head, teacher, take(tokens, masked), axis_name)
        patch_target, patch_center = targets_of(
            patch_logits.reshape(-1, prototypes), valid.reshape(-1), extra.get("patch_center"), temperature, axis_name
        )

        pooled, tokens = vit.apply(
            {"params": params["encoder"]}, images, masked=mask, keys=jnp.concatenate(crop_keys[:2])
        )
        features = [pooled]
        if num_local:
            local_keys = jnp.concatenate(crop_keys[2:])
            features.append(vit.apply({"params": params["encoder"]}, crops_first(batch["local"]), keys=local_keys)[0])
        student = apply("head", params, jnp.concatenate(features), axis_name).reshape(2 + num_local, -1, prototypes)
        patches = apply(patch_head, params, take(tokens, masked), axis_name)

        # Cross-entropy over all pairs of different crops, as in SwAV: the targets are the first two crops'.
        class_loss = objectives.swav_loss(
            student, class_target.reshape(2, -1, prototypes), temperature=student_temperature, axis_name=axis_name
        )
        patch_loss = objectives.ibot_loss(
            patches,
            patch_target.reshape(patches.shape),
            valid,
            student_temperature=student_temperature,
            axis_name=axis_name,
        )
        value = class_loss + patch_loss
        metrics = {"class_loss": class_loss, "patch_loss": patch_loss, **target_metrics(class_target, axis_name)}
        if koleo_weight:
            spread = [objectives.koleo_loss(crop, axis_name=axis_name) for crop in jnp.split(pooled, 2)]
            value = value + koleo_weight * (spread[0] + spread[1])
            metrics["koleo_loss"] = spread[0]
        updates = {} if center is None else {"center": center, "patch_center": patch_center}
        return value, Aux(updates, metrics, jnp.split(pooled, 2)[0])

    return Method(
        name,
        make_views,
        init,
        loss,
        update_extra=lambda extra, updates: networks.mean_over_micro_batches(updates),
        encode=networks.encode_with(network),
        teacher=lambda params: params,
        coupled="targets are centred over the masked patches of the whole batch",
    )
